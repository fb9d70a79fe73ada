from __future__ import annotations

import json
import os

import pytest
import torch

from inexact.cli import bench, run

SMALL = (
    bench.Case(name="small convolution", batch=2, inputs=4, outputs=6, size=9, kernel=3, stride=2, groups=2, quick=True),
    bench.Case(name="small linear", batch=3, inputs=8, outputs=5, quick=True),
    bench.Case(name="not quick", batch=1, inputs=1, outputs=1),
)


def test_json_has_machine_and_cases(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "CASES", SMALL)
    assert run(["bench", "emulation", "--json", "--quick", "--threads", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["machine"]["processor"]
    assert [c["case"] for c in found["cases"]] == ["small convolution", "small linear"]
    for case in found["cases"]:
        assert set(case) == {"case", "unit", "engine", "threads", "ms", "float32_ms", "ratio", "gmacs"}
        assert case["threads"] == 1
        assert case["ms"] > 0
        assert case["ratio"] == pytest.approx(case["ms"] / case["float32_ms"])


def test_threads_are_given_back(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bench, "CASES", SMALL)
    monkeypatch.setenv("INEXACT_THREADS", "3")
    before = torch.get_num_threads()
    assert run(["bench", "emulation", "--threads", "1"]) == 0
    assert torch.get_num_threads() == before
    assert os.environ["INEXACT_THREADS"] == "3"
    assert "small linear" in capsys.readouterr().out


def test_products_are_counted_as_the_layer_has_them() -> None:
    assert SMALL[0].macs == 2 * 6 * 5 * 5 * 2 * 9
    assert SMALL[1].macs == 3 * 8 * 5


def test_unknown_engine_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "emulation", "--quick", "--engine", "tabel"]) == 1
    assert "no engine is called 'tabel'; did you mean 'table'?" in capsys.readouterr().err
