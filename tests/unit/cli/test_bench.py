from __future__ import annotations

import json
import os

import pytest
import torch

from inexact.cli import _speed_cases, _timing, run

SMALL = (
    _speed_cases.Convolution(
        name="small convolution", batch=2, inputs=4, outputs=6, size=9, stride=2, groups=2, quick=True, units=("arbitrary", "narrow")
    ),
    _speed_cases.Linear(name="small linear", rows=3, inputs=8, outputs=5, quick=True, units=("arbitrary",)),
    _speed_cases.Linear(name="not quick", rows=1, inputs=1, outputs=1),
    _speed_cases.Inference(name="small network", network="lenet5", batch=2, quick=True, units=("kulkarni",)),
    _speed_cases.TrainingStep(name="small step", network="lenet5", batch=2, quick=True, units=("arbitrary",)),
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_speed_cases, "CASES", SMALL)


def test_json_has_machine_and_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "emulation", "--json", "--quick", "--threads", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["processor"]
    assert [(c["case"], c["unit"]) for c in found["cases"]] == [
        ("small convolution", "arbitrary"),
        ("small convolution", "narrow"),
        ("small linear", "arbitrary"),
        ("small network", "kulkarni"),
        ("small step", "arbitrary"),
    ]
    for case in found["cases"]:
        assert case["threads"] == 1
        assert case["ms"] > 0
        assert case["runs"] >= 3
        assert case["ratio"] == pytest.approx(case["ms"] / case["float32_ms"])


def test_threads_are_given_back(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("INEXACT_THREADS", "3")
    before = torch.get_num_threads()
    assert run(["bench", "emulation", "--quick", "--threads", "1", "--threads", "2", "--case", "linear", "--unit", "trunc(cut=2)"]) == 0
    assert torch.get_num_threads() == before
    assert os.environ["INEXACT_THREADS"] == "3"
    assert "trunc(cut=2)" in capsys.readouterr().out


def test_products_are_counted_as_the_layer_has_them() -> None:
    assert SMALL[0].macs == 2 * 6 * 5 * 5 * 2 * 9
    assert SMALL[1].macs == 3 * 8 * 5
    assert SMALL[4].macs == 3 * SMALL[3].macs


def test_ratio_is_of_medians() -> None:
    timing = _timing.alternate(lambda: sum(range(20_000)), lambda: sum(range(200)), runs=5, seconds=0)
    assert timing.runs == 5
    assert timing.ratio == timing.ms / timing.reference_ms > 2


@pytest.mark.slow
def test_memory_is_measured_in_processes_of_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "memory", "--json", "--case", "batch 1", "--threads", "1"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["cases"]
    assert row["float32_mb"] > 44  # 11.7 M weights of 4 bytes
    assert row["ratio"] == pytest.approx(row["mb"] / row["float32_mb"])


def test_unknown_engine_and_case_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "emulation", "--quick", "--engine", "tabel"]) == 1
    assert "no engine is called 'tabel'; did you mean 'table'?" in capsys.readouterr().err
    assert run(["bench", "emulation", "--case", "lstm"]) == 2
    assert "no case is called like 'lstm'; cases: small convolution" in capsys.readouterr().err
