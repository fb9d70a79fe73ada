"""The rate of silent errors as an objective of a study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from inexact import hardware
from inexact.core.errors import FaultError, StudyError, UnknownNameError
from inexact.explore import NetworkProblem, Settings, Study
from inexact.explore.result import front_point
from inexact.nn import Plan
from inexact.reliability import sdc_rate

from .conftest import Fake, FakeCandidate, quick

ASKED = ("top1", "energy_pj", "sdc_rate")


def problem(**changes: Any) -> NetworkProblem:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4)).eval()
    images = torch.randn(20, 1, 6, 6)
    known: dict[str, Any] = {"network": "net", "data": "own", "calibration": 4, "objectives": ASKED, "fault_count": 300}
    asked = Settings(**{**known, "fault": "accumulator_flip(when=final)", **changes})
    return NetworkProblem(model, [(images, images.flatten(1)[:, :4].argmax(1))], None, hardware.load("edge-16x16"), asked, {})


def test_a_candidate_meets_faults_on_validation_images() -> None:
    made = problem()
    candidate = made.candidate(Plan({"0": "trunc(cut=6)"}))
    found = candidate.accounts()["sdc_rate"]
    pool = made.pools["validation"]
    wanted = sdc_rate(candidate.net, [(pool.images, pool.labels)], "accumulator_flip(when=final)", count=300, seed=0)
    assert found == 100 * wanted.value
    assert 1 < found < 99
    plain = problem(objectives=("top1", "energy_pj"))
    assert "sdc_rate" not in plain.candidate(Plan({"0": "trunc(cut=6)"})).accounts()
    assert made.fingerprint() not in {plain.fingerprint(), problem(fault_count=301).fingerprint()}


def test_the_search_prefers_fewer_silent_errors(run_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = FakeCandidate.accounts
    monkeypatch.setattr(FakeCandidate, "accounts", lambda self: plain(self) | {"sdc_rate": 9.0 - max(self.genome)})
    study = run_study(Fake(), quick(objectives=ASKED, sampler="assisted", trials=12))
    best = min(study.trials, key=lambda trial: (trial.measured["sdc_rate"], -(trial.energy_saving or 0.0)))
    assert best.on_front
    assert front_point(best)["sdc_rate"] == best.measured["sdc_rate"] <= 9.0


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"fault": "weight_flop"}, UnknownNameError, "no fault is called 'weight_flop'; did you mean 'weight_flip'?"),
        ({"forecast": True}, StudyError, "a forecast must not stand in for sdc_rate, which only a built network tells"),
        ({"fault_count": 0}, Exception, "fault_count must be 1..1000000, not 0"),
    ],
)
def test_faults_that_cannot_be_an_objective(changes: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        problem(**changes)


def test_a_plan_without_a_place_for_the_fault_fails_alone() -> None:
    candidate = problem(fault="weight_flip(layers=nowhere)").candidate(Plan({"0": "trunc(cut=6)"}))
    with pytest.raises(FaultError, match="none is called 'nowhere'"):
        candidate.accounts()
