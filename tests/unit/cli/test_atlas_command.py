"""`inexact atlas`: one JSON object each, text for people, errors in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inexact import nn
from inexact.cli import run
from inexact.explore import Store


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


def test_show_lists_the_claims_on_a_work(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "claims" / "records"
    folder.mkdir(parents=True)
    (folder / "b.toml").write_text('[[claim]]\nid = "third"\nwork = "drum2015"\n[[claim]]\nid = "none"\n')
    (folder / "a.toml").write_text('[[claim]]\nid = "first"\nwork = "drum2015"\n[[claim]]\nid = "other"\nwork = "mbm2018"\n')
    monkeypatch.setattr("inexact.atlas.describe.files", lambda _: tmp_path)
    assert answer(capsys, "show", "drum2015")["claims"] == ["first", "third"]
    assert run(["atlas", "show", "drum2015"]) == 0
    assert "claims: first, third" in capsys.readouterr().out


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
    assert list(answer(capsys, "bibtex", "drum2015", "mbm2018")["entries"]) == ["drum2015", "mbm2018"]


def test_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "coverage")
    assert found["surveys"] == 11
    assert found["everything"]["works"] == 144
    assert run(["atlas", "coverage"]) == 0
    assert "11 surveys are left out." in capsys.readouterr().out


def test_taxonomy(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "taxonomy")
    assert [family["title"] for family in found["families"]][:3] == ["Computation reduction", "Approximate units", "Precision scaling"]
    assert run(["atlas", "taxonomy"]) == 0
    assert "drum2015 (here)" in capsys.readouterr().out


def test_clusters(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inexact.atlas.clusters.RESAMPLES", 10)
    found = answer(capsys, "clusters", "--picture", str(tmp_path / "tree.svg"))
    assert sum(len(cluster["works"]) for cluster in found["clusters"]) == 113
    assert (tmp_path / "tree.svg").read_text().startswith("<svg")
    assert run(["atlas", "clusters"]) == 0
    assert "with the families, all features: adjusted Rand index 0.23" in capsys.readouterr().out


def test_complexity_of_the_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "complexity", "--data-weight", "2", "--pictures", str(tmp_path))
    assert len(found["evaluations"]) == 144
    assert found["mine"] is None
    assert {path.name for path in tmp_path.iterdir()} == {"map.svg", "gain.svg", "loss.svg", "retraining.svg", "years.svg"}
    assert run(["atlas", "complexity"]) == 0
    assert "32 of 144 works lie on the map." in capsys.readouterr().out


def test_complexity_of_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = {"network": "resnet8", "data": "fashion-mnist", "max_drop": 1.0, "seed": 0, "best": None, "trials": []}
    with Store(tmp_path / "study.db") as store:
        store.save_settings({"report": report})
    found = answer(capsys, "complexity", "--mine", str(tmp_path), "--pictures", str(tmp_path / "pictures"))["mine"]
    assert (found["data_tier"], found["score"]) == (1, None)
    assert run(["atlas", "complexity", "--mine", str(tmp_path / "study.db")]) == 0
    shown = capsys.readouterr().out
    assert "resnet8, size not known, on fashion-mnist (tier T1)" in shown
    assert "A reviewer would ask to:" in shown
    assert "must hold a study" in refused(capsys, "complexity", "--mine", str(tmp_path / "none"))


def test_cite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nn.Plan(multiplier="drum(k=6)", coding="sign_magnitude").save(tmp_path / "plan.toml")
    assert run(["cite", "--plan", str(tmp_path / "plan.toml"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["citations"]
    assert {one["key"]: one["used"] for one in found} == {"drum2015": ["multiplier:drum"], "jacob2018": ["format:int"]}
    assert run(["cite", "--network", "resnet8"]) == 0
    assert capsys.readouterr().out.startswith("% network:resnet8\n@misc{he2016,")
    assert run(["atlas", "cite", "--network", "resnet8"]) == 0
    assert "@misc{he2016," in capsys.readouterr().out
    assert run(["cite"]) == 2
    assert "cite must have --plan, --network or --data" in capsys.readouterr().err


def test_citing_loads_neither_torch_nor_units(tmp_path: Path) -> None:
    nn.Plan(multiplier="drum(k=6)", coding="sign_magnitude").save(tmp_path / "plan.toml")
    code = (
        "import sys; from inexact.cli import run; "
        f"run(['cite', '--plan', {str(tmp_path / 'plan.toml')!r}, '--network', 'resnet8', '--data', 'mnist', '--json']); "
        "assert not {'torch', 'numpy', 'inexact.units', 'inexact.nn'} & set(sys.modules), 'loaded'"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'drum2015'" in refused(capsys, "show", "drum2016")
    assert "did you mean 'lisa'" in refused(capsys, "list", "--dataset", "lisaa")
    assert "has no recipe: no binarised sums" in refused(capsys, "recipe", "rookies2022")
    assert "a search must have a word" in refused(capsys, "search", "--", "-")
