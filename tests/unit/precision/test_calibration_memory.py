"""Searching a range twice for the same values gives the same range, and other values another."""

from __future__ import annotations

import pytest
import torch

from inexact import precision
from inexact.precision import Observer, _calibration


def _observed(values: torch.Tensor) -> Observer:
    observer = Observer()
    observer.update(values)
    return observer


def test_a_search_is_made_once_for_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_calibration, "_FOUND", type(_calibration._FOUND)())
    values = torch.randn(4096, generator=torch.Generator().manual_seed(7))
    first, second = (precision.get("int(calibration=mse)").activations(_observed(v), "unsigned") for v in (values, values.clone()))
    assert len(_calibration._FOUND) == 1
    assert torch.equal(first.scale, second.scale)
    precision.get("int(calibration=mse)").activations(_observed(values * 1.5), "unsigned")
    precision.get("int(calibration=mse)").activations(_observed(values), "signed")
    assert len(_calibration._FOUND) == 3


def test_only_the_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_calibration, "_FOUND", type(_calibration._FOUND)())
    monkeypatch.setattr(_calibration, "_KEPT", 2)
    for step in range(1, 5):
        found = _calibration.remembered((8, False), (torch.tensor([float(step)]),), lambda: (torch.zeros(1), torch.ones(1)))
        assert torch.equal(found[1], torch.ones(1))
    assert len(_calibration._FOUND) == 2
