"""`inexact atlas`: one JSON object each, text for people, errors in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inexact import nn
from inexact.cli import run


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run(["atlas", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["atlas", *words]) == 1
    return capsys.readouterr().err


def test_list_gives_every_work_with_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    works = answer(capsys, "list")["works"]
    assert len(works) == 155
    assert all(set(work) == set(works[0]) for work in works)
    assert works[0]["key"] == "snapea2018"
    assert works[0]["here"]["uses"] == ["reduction:sign_termination", "reduction:speculative_termination"]


def test_list_and_search_take_filters(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "list", "--family", "precision_scaling", "--from", "2017", "--to", "2018", "--status", "here")["works"]
    assert {work["key"] for work in found} == {"dvafs2017", "loom2018", "bitfusion2018", "olaccel2018"}
    found = answer(capsys, "search", "log", "multiplier", "--dataset", "MNIST")["works"]
    assert "ilm2021" in {work["key"] for work in found}


def test_text_names_keys_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["atlas", "list", "--subclass", "bit_serial"]) == 0
    shown = capsys.readouterr().out
    assert "stripes2016" in shown
    assert "3 works." in shown


def test_show_says_what_is_missing_and_how_to_run_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "show", "alwann2019")
    assert found["commands"][0].startswith("inexact study run --network resnet8")
    assert found["evaluation"]["network"] == "ResNet-50, small images"
    assert run(["atlas", "show", "alwann2019"]) == 0
    shown = capsys.readouterr().out
    assert "runs here: part (sampler:nsga2, recovery:weight_tuning" in shown
    assert "missing: a limit on the number of tiles" in shown
    assert "from memory: networks: ResNet-14" in shown
    assert run(["atlas", "show", "jiao2018reuse"]) == 0
    assert "data sets:   not recorded" in capsys.readouterr().out


def test_a_recipe_is_written_as_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "recipe", "drum2015", "--out", str(tmp_path))
    assert nn.Plan.load(tmp_path / "plan.toml").rules["default"].multiplier == "drum(k=6)"  # type: ignore[union-attr]
    assert found["commands"] == [f"inexact net evaluate --network resnet8 --data fashion-mnist --plan {tmp_path}/plan.toml"]
    assert run(["atlas", "recipe", "alwann2019"]) == 0
    assert "[[group]]" in capsys.readouterr().out


def test_bibtex_of_one_and_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["atlas", "bibtex", "drum2015"]) == 0
    assert capsys.readouterr().out.startswith("@inproceedings{drum2015,")
    assert run(["atlas", "bibtex"]) == 0
    assert capsys.readouterr().out.count("\n@") == 154


def test_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "coverage")
    assert found["surveys"] == 11
    assert found["everything"]["works"] == 144
    assert run(["atlas", "coverage"]) == 0
    assert "11 surveys are left out." in capsys.readouterr().out


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'drum2015'" in refused(capsys, "show", "drum2016")
    assert "did you mean 'lisa'" in refused(capsys, "list", "--dataset", "lisaa")
    assert "has no recipe: no binarised sums" in refused(capsys, "recipe", "rookies2022")
    assert "a search must have a word" in refused(capsys, "search", "--", "-")
