"""`inexact fault`: a campaign from the command line, its files, resuming, and what bad input gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inexact.cli import run

QUICK = ["fault", "run", "--network", "lenet5", "--images", "64", "--workers", "0", "--margin", "6", "--fault", "activation_flip(bits=7)"]


def test_a_campaign_writes_its_report_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run([*QUICK, "--out", str(out), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    (row,) = first["faults"]
    assert row["n"] >= 30
    assert row["sdc1"]["ci"][0] <= row["sdc1"]["value"] <= row["sdc1"]["ci"][1]
    assert {cell["layer"] for cell in row["cells"]} == {"conv1", "conv2", "fc1", "fc2", "fc3"}
    page = (out / "report.html").read_text()
    assert "activation_flip(bits=(7,))" in page
    assert "faults of" in page
    assert run([*QUICK, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == first
    (out / "report.html").unlink()
    assert run(["fault", "report", str(out)]) == 0
    assert "% intervals; 64 images" in capsys.readouterr().out
    assert (out / "report.html").is_file()


def test_faults_are_listed_with_their_places(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fault", "list", "--network", "lenet5", "--json"]) == 0
    rows = {row["fault"]: row for row in json.loads(capsys.readouterr().out)["faults"]}
    assert rows["weight_flip"]["scope"] == "image"
    assert rows["weight_flip"]["sites"] == 8 * (150 + 2400 + 48000 + 10080 + 840)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--margin", "0"], "margin must be above 0 and below 0.5"),
        (["--fault", "weight_flip(layers=conv9)"], "none is called 'conv9'"),
        (["--fault", "weight_flop"], "no fault is called 'weight_flop'; did you mean 'weight_flip'?"),
        (["--budget", "20"], "20 faults cannot give"),
    ],
)
def test_bad_input_is_one_sentence(options: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*QUICK, *options, "--out", str(tmp_path / "out")]) == 1
    assert says in capsys.readouterr().err


def test_a_folder_without_a_campaign_has_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fault", "report", str(tmp_path)]) == 1
    assert "must be the folder of a campaign" in capsys.readouterr().err


@pytest.mark.slow
def test_workers_do_not_change_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for workers in ("0", "2"):
        assert run([*QUICK, "--margin", "0.7", "--workers", workers, "--out", str(tmp_path / workers), "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["faults"])
    alone, shared = ([row | {"seconds": 0} for row in rows] for rows in found)
    assert alone == shared
    assert alone[0]["n"] > 2048


@pytest.mark.slow
def test_faults_are_timed_against_full_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "faults", "--network", "lenet5", "--runs", "1", "--json"]) == 0
    cases = json.loads(capsys.readouterr().out)["cases"]
    assert [case["fault"] for case in cases] == ["weight_flip", "activation_flip", "output_flip", "accumulator_flip"]
    assert all(case["faults_per_cpu_second"] > 0 and case["passes_per_second"] > 0 for case in cases)


@pytest.mark.slow
def test_range_restriction_is_charged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*QUICK, "--protect", "range_clip", "--allocation", "neyman", "--out", str(tmp_path / "out"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["settings"]["about"]["protect"] == "range_clip"
    assert not report["overhead"]["energy"]["verified"]
    assert 0 < report["overhead"]["energy_percent"] < 5
