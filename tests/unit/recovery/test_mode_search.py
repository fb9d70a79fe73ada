"""Modes chosen under a budget of accuracy."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from inexact.core.errors import DataError, PlanError
from inexact.nn import ApproxLayer, ApproxModel, Evaluation, Plan, Rule, approximate, evaluate
from inexact.recovery.automatic import Choice
from inexact.recovery.mode_search import choose_modes

X = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(1))
EXACT = Plan(coding="sign_magnitude")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, stride=2), nn.Flatten(), nn.Linear(54, 5)).eval()


def labelled() -> TensorDataset:
    """Images with the answers of the float32 network, which differ once the network's output is centred."""
    with torch.no_grad():
        return TensorDataset(X, network()(X).argmax(1))


def chosen(rule: Rule, max_drop: float) -> tuple[Choice, Evaluation]:
    data = labelled()
    exact = evaluate(approximate(network(), EXACT, calibrate=X), data)
    net = approximate(network(), Plan({"default": rule}), calibrate=X)
    return choose_modes(net, exact, calibration=X, decide=data, max_drop=max_drop), exact


def modes(net: ApproxModel) -> list[set[int]]:
    return [
        set(layer.modes.flatten().tolist()) for layer in net.layers().values() if isinstance(layer, ApproxLayer) and layer.modes is not None
    ]


LVRM = Rule(multiplier="lvrm(mode=0,first=7,second=8)", modes="per_weight", coding="sign_magnitude")


def test_a_wide_budget_takes_every_layer_whole() -> None:
    found, _ = chosen(LVRM, 100.0)
    assert modes(found.net) == [{2}, {2}, {2}]
    assert {layer.rule.modes for layer in found.net.layers().values()} == {"per_filter"}
    assert [trial.recovery for trial in found.trials] == ["every layer exact", "every layer in its cheapest modes"]
    assert found.met
    assert found.kept == 1


def test_a_narrow_budget_leaves_ranges_of_weights_exact_and_is_kept_to() -> None:
    found, exact = chosen(LVRM, 0.0)
    kept = found.trials[found.kept]
    assert found.met
    assert kept.drop <= 0
    assert any(len(held) > 1 for held in modes(found.net)) or {0} in modes(found.net)
    assert any(trial.recovery.startswith("only ") for trial in found.trials)
    assert any(trial.drop > 0 for trial in found.trials)  # the budget did refuse some
    assert evaluate(found.net, labelled(), reference=exact).drop == kept.drop
    again = approximate(network(), Plan.from_toml(found.net.plan.to_toml()))
    again.load_state_dict(found.net.state_dict())
    with torch.no_grad():
        assert torch.equal(again(X), found.net(X))


def test_balanced_modes_are_chosen_layer_by_layer() -> None:
    found, _ = chosen(Rule(multiplier="pn(mode=exact,bits=5)", modes="per_weight", coding="sign_magnitude"), 100.0)
    assert all(held >= {1, 2} for held in modes(found.net))
    assert all("pn_balance + bias_correction(gain=true)" in layer.rule.recovery for layer in found.net.layers().values())


def test_a_budget_that_cannot_be_met_leaves_every_weight_exact() -> None:
    """The last layer has another, very wrong unit, of one mode."""
    data = labelled()
    exact = evaluate(approximate(network(), EXACT, calibrate=X), data)
    plan = Plan({"4": Rule(multiplier="trunc(cut=15)", coding="sign_magnitude"), "default": LVRM})
    found = choose_modes(approximate(network(), plan, calibrate=X), exact, calibration=X, decide=data, max_drop=0.0)
    assert not found.met
    assert len(found.trials) == 1
    assert modes(found.net) == [{0}, {0}]


@pytest.mark.parametrize(
    ("plan", "max_drop", "error", "message"),
    [
        (
            Plan(multiplier="lvrm(mode=0)"),
            1.0,
            PlanError,
            "no layer has modes to choose: give a rule a unit pn or lvrm and modes = 'per_we",
        ),
        (Plan({"default": LVRM.but(multiplier="lvrm(mode=1)")}), 1.0, PlanError, r"layer 0 must start in the exact mode .*: plan lvrm\("),
        (Plan({"default": LVRM}), -1.0, DataError, "max_drop must be 0 or more points, not -1"),
    ],
)
def test_what_cannot_be_chosen_is_refused(plan: Plan, max_drop: float, error: type[Exception], message: str) -> None:
    data = labelled()
    exact = evaluate(approximate(network(), EXACT, calibrate=X), data)
    with pytest.raises(error, match=message):
        choose_modes(approximate(network(), plan, calibrate=X), exact, calibration=X, decide=data, max_drop=max_drop)
