"""`inexact accelerator` and `inexact net estimate` from the command line."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from inexact import hardware
from inexact.cli import run


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run([*words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(list(words)) != 0
    return capsys.readouterr().err


def test_every_preset_is_listed_shown_and_reloads(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    listed = answer(capsys, "accelerator", "list")["accelerators"]
    assert [row["name"] for row in listed] == list(hardware.presets())
    assert {"tpu-v1-like", "eyeriss-like", "edge-tpu-like", "edge-16x16", "stripes-like", "loom-like", "bit-fusion-like"} <= {
        row["name"] for row in listed
    }
    assert run(["accelerator", "list"]) == 0
    assert "peak" in capsys.readouterr().out
    for row in listed:
        shown = answer(capsys, "accelerator", "show", row["name"])
        assert all(figure["unit"] and figure["source"] for figure in shown["constants"].values())
        assert run(["accelerator", "show", row["name"], "--toml"]) == 0
        (tmp_path / "copy.toml").write_text(capsys.readouterr().out)
        assert hardware.load(tmp_path / "copy.toml").name == row["name"]


def test_machines_are_compared_on_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("edge-16x16", "eyeriss-like", "bit-fusion-like")
    rows = answer(capsys, "accelerator", "compare", *names, "--network", "lenet5")["accelerators"]
    assert [row["accelerator"] for row in rows] == list(names)
    for row in rows:
        assert row["energy_pj"]["value"] > 0
        assert row["energy_per_mac"]["unit"] == "pJ/MAC"
        assert 0 < row["mac_share"]["with_dram"]["value"] < row["mac_share"]["array"]["value"] < 100


def test_an_estimate_adds_up_and_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('[plan]\nversion = 1\n[plan.rules.default]\nmultiplier = "trunc(cut=6)"\ncoding = "unsigned"\n')
    picture = tmp_path / "account.svg"
    words = ("net", "estimate", "--network", "lenet5", "--plan", str(plan), "--accelerator", "edge-16x16")
    found = answer(capsys, *words, "--operating-points", "--picture", str(picture))
    parts = found["energy_by_layer_and_component"]
    assert sum(sum(layer.values()) for layer in parts.values()) == pytest.approx(found["energy_pj"]["total"]["value"])
    assert [point["name"] for point in found["operating_points"]] == ["nominal", "speed", "voltage"]
    for name in ("multiplier", "array", "on_chip", "with_dram"):
        assert set(found["savings"][name]) >= {"value", "unit", "source", "spread"}
    assert found["savings"]["multiplier"]["value"] > found["savings"]["array"]["value"] > found["savings"]["with_dram"]["value"] > 0
    drawn = ET.fromstring(picture.read_text())
    titles = [title.text or "" for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("conv1, multipliers: ") for title in titles)
    assert run([*words, "--layers"]) == 0
    text = capsys.readouterr().out
    assert "chip and DRAM" in text
    assert "stationa" in text


def test_files_for_zigzag_are_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "zigzag"
    answer(capsys, "net", "estimate", "--network", "lenet5", "--zigzag", str(folder))
    assert {file.name for file in folder.iterdir()} == {"hardware.yaml", "workload.yaml", "mapping.yaml"}


def test_what_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    estimate = ("net", "estimate", "--network", "lenet5")
    assert "did you mean 'tpu-v1-like'" in refusal(capsys, *estimate, "--accelerator", "tpu-v2-like")
    assert "an input shape must be positive whole numbers" in refusal(capsys, *estimate, "--input-shape", "1,x")
    assert "must be a readable file" in refusal(capsys, "net", "estimate", "--network", str(tmp_path / "none.onnx"))
    assert "embodied carbon has a source for 28 nm only" in refusal(capsys, *estimate, "--carbon", "500")
    plan = tmp_path / "plan.toml"
    plan.write_text('[plan]\nversion = 1\n[plan.rules.default]\nmultiplier = "trunc(cut=6)"\ncoding = "unsigned"\n')
    message = refusal(capsys, *estimate, "--plan", str(plan), "--accelerator", "loom-like")
    assert "serial processing elements of loom-like have no place for trunc(cut=6)" in message
    plan.write_text('[plan]\nversion = 1\n[plan.rules.default]\nprecision = "int16"\ncoding = "signed"\n')
    assert "compute up to 8 bits" in refusal(capsys, *estimate, "--plan", str(plan))
