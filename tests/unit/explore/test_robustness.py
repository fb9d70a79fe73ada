"""Robust accuracy as an objective of a study."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import AttackError, DataError, StudyError, UnknownNameError
from inexact.explore import NetworkProblem, Settings, Study, explore
from inexact.explore.result import front_point
from inexact.nn import Plan
from inexact.security.adversarial import Target, attacks, images_of
from inexact.zoo import Dataset

from .conftest import Fake, FakeCandidate, quick

SCALING = (0.4, 0.5)
ASKED = ("top1", "energy_pj", "robust_accuracy")


def settings(**changes: Any) -> Settings:
    known: dict[str, Any] = {"network": "net", "data": "own", "calibration": 4, "objectives": ASKED, "attack_images": 12}
    return Settings(**{**known, "attack": "noise(draws=3)", "attack_epsilon": 0.1, **changes})


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4)).eval()


def dataset(model: nn.Module) -> Dataset:
    pixels: Tensor = torch.rand(20, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    images = (pixels - SCALING[0]) / SCALING[1]
    with torch.no_grad():
        labels = model(images).argmax(1)
    return Dataset(images=images, labels=labels, name="own", split="validation", classes=("a", "b", "c", "d"), scaling=SCALING)


def problem(model: nn.Module, asked: Settings, data: Any = None) -> NetworkProblem:
    return NetworkProblem(model, data or dataset(model), None, hardware.load("edge-16x16"), asked, {"0": ["trunc(cut=4)"]})


def test_a_candidate_is_attacked_on_validation_images(model: nn.Module) -> None:
    made = problem(model, settings())
    candidate = made.candidate(Plan({"0": "trunc(cut=6)"}))
    loss = candidate.accounts()["robust_loss"]
    pool = made.pools["validation"].part(0, 12)
    images = images_of(
        Dataset(images=pool.images, labels=pool.labels, name="own", split="validation", classes=tuple("abcd"), scaling=SCALING)
    )
    target = Target(candidate.net, SCALING, name="approximate")
    wanted = attacks.get("noise(draws=3)")(target, images, epsilon=0.1, seed=0)
    assert loss == pytest.approx(100 * wanted.broken.double().mean())
    assert 0 < loss < 100
    plain = problem(model, settings(objectives=("top1", "energy_pj")))
    assert "robust_loss" not in plain.candidate(Plan({"0": "trunc(cut=6)"})).accounts()
    assert made.fingerprint() not in {plain.fingerprint(), problem(model, settings(attack_epsilon=0.2)).fingerprint()}


def test_the_search_spreads_over_what_is_measured(run_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch) -> None:
    plain = FakeCandidate.accounts
    monkeypatch.setattr(FakeCandidate, "accounts", lambda self: plain(self) | {"robust_loss": 50.0 - 5 * max(self.genome)})
    study = run_study(Fake(), quick(objectives=ASKED, sampler="assisted", trials=12))
    assert {trial.measured["robust_accuracy"] for trial in study.trials} <= {50.0, 55.0, 60.0, 65.0, 70.0}
    best = max(study.trials, key=lambda trial: (trial.measured["robust_accuracy"], trial.energy_saving or 0.0))
    assert best.on_front
    assert front_point(best)["robust_accuracy"] == best.measured["robust_accuracy"]


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        (
            {"attack": "carlini_wagner"},
            StudyError,
            "must work within an epsilon, such as pgd; carlini_wagner looks for",
        ),
        ({"forecast": True}, StudyError, "a forecast must not stand in for robust_accuracy, which only a built network tells"),
        ({"attack_epsilon": 4.0}, AttackError, r"epsilon of noise\(draws=3\) must be above 0 and at most 1"),
    ],
)
def test_attacks_that_cannot_be_an_objective(model: nn.Module, changes: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        problem(model, settings(**changes))


def test_pixels_must_be_known(model: nn.Module) -> None:
    data = dataset(model)
    with pytest.raises(DataError, match=r"robust_accuracy needs to know how pixels were normalised: give a zoo.Dataset with its scaling"):
        problem(model, settings(), [(data.images, data.labels)])


def test_the_one_call_takes_the_settings_of_what_is_measured(model: nn.Module) -> None:
    asked: dict[str, Any] = {"attack": "noise(draws=3)", "attack_epsilon": 0.2, "attack_images": 7, "fault_count": 90}
    asked["fault"] = "weight_flip"
    objectives = ("top1", "energy_pj", "robust_accuracy", "sdc_rate")
    study = explore(model, {"0": ["trunc(cut=6)"]}, data=dataset(model), objectives=objectives, budget=2, **asked)
    assert {name: getattr(study.settings, name) for name in asked} == asked
    assert all(set(trial.measured) == {"robust_accuracy", "sdc_rate"} for trial in study.trials)
    with pytest.raises(UnknownNameError, match="no attack is called 'pgg'"):
        explore(model, data=dataset(model), objectives=objectives, attack="pgg")
    with pytest.raises(UnknownNameError, match="no fault is called 'flop'"):
        explore(model, data=dataset(model), objectives=objectives, fault="flop")
