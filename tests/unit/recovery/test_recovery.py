"""Recoveries against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from inexact import units
from inexact.core.errors import PlanError, UnknownNameError
from inexact.nn import ApproxLayer, ApproxModel, Plan, Rule, approximate, evaluate, planned_columns
from inexact.recovery import recover, recoveries
from inexact.recovery.automatic import LADDER, choose


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, stride=2), nn.Flatten(), nn.Linear(54, 5)).eval()


X = torch.rand(32, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def rms(net: ApproxModel, model: nn.Module) -> float:
    with torch.no_grad():
        return float((net(X) - model(X)).square().mean().sqrt())


@pytest.mark.parametrize("coding", ["unsigned", "sign_magnitude"])
def test_bias_correction_is_the_expected_error_under_tap_histograms(coding: str) -> None:
    """The fold equals sum over taps of E[error(a, w)] with each tap's own activation histogram, computed here from histograms."""
    rng = np.random.default_rng(0)
    unit = units.from_table(rng.integers(0, 65000, (256, 256), dtype=np.int32), signed=False, width=(8, 8))
    net = approximate(network(), Plan({"0": Rule(multiplier=unit, coding=coding, recovery="bias_correction")}), calibrate=X)
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    fixed = recover(net, data=X).layers()["0"]
    a = torch.clamp(torch.round(nn.functional.pad(X, (1, 1, 1, 1)) / layer.a_scale) + layer.a_zero, 0, 255).long().numpy()
    low, high = (0, 255) if coding == "unsigned" else (-127, 127)
    b = torch.clamp(torch.round(layer.weight.detach() / layer.b_scale) + layer.b_zero, low, high).long().numpy()
    table = unit.table()
    expected = np.zeros(8)
    for c in range(3):
        for u in range(3):
            for v in range(3):
                histogram = np.bincount(a[:, c, u : u + 8, v : v + 8].reshape(-1), minlength=256) / (32 * 64)
                for o in range(8):
                    w = int(b[o, c, u, v])
                    errors = (
                        np.sign(w) * table[:, abs(w)] - np.arange(256) * w if coding != "unsigned" else table[:, w] - np.arange(256) * w
                    )
                    expected[o] += float(histogram @ errors)
    assert np.abs(fixed.fold.numpy() - expected).max() <= 0.51


def test_shared_column_removes_an_error_that_depends_on_the_activation_alone() -> None:
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    unit = units.from_table((a * b + (a * a) // 7 - 300).astype(np.int32), signed=False, width=(8, 8))
    model = network()
    exact = approximate(model, Plan(multiplier="exact"), calibrate=X)
    for padding in ("multiplied", "skipped"):
        net = approximate(model, Plan(multiplier=unit, padding=padding), calibrate=X)
        fixed = recover(net, "shared_column", data=X)
        with torch.no_grad():
            assert torch.allclose(fixed(X), exact(X), atol=1e-6), padding
        assert all(layer.has_column for layer in fixed.layers().values())


def test_gain_removes_a_proportional_error() -> None:
    a, b = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    unit = units.from_table((a * b * 15 // 16).astype(np.int32), signed=False, width=(8, 8))
    model = network()
    net = approximate(model, Plan(multiplier=unit, coding="sign_magnitude"), calibrate=X)
    by_bias = rms(recover(net, "bias_correction", data=X), model)
    by_gain = rms(recover(net, "bias_correction(gain=true)", data=X), model)
    assert by_gain < by_bias / 3 < rms(net, model) / 3


@pytest.mark.parametrize("unit", ["trunc(cut=8)", "mitchell", "drum(k=4)", "kulkarni"])
def test_free_corrections_help_real_units(unit: str) -> None:
    model = network()
    net = approximate(model, Plan(multiplier=unit), calibrate=X)
    raw, folded, column = (rms(n, model) for n in (net, recover(net, "bias_correction", data=X), recover(net, "shared_column", data=X)))
    assert folded < raw
    assert column < folded


def test_recover_leaves_its_input_alone_and_follows_the_rules() -> None:
    model = network()
    plan = Plan({"0": Rule(multiplier="trunc(cut=7)", recovery="shared_column"), "2": Rule(multiplier="trunc(cut=7)")})
    net = approximate(model, plan, calibrate=X)
    fixed = recover(net, data=X)
    assert not net.layers()["0"].has_column
    assert fixed.layers()["0"].has_column
    assert not fixed.layers()["2"].has_column
    assert int(fixed.layers()["2"].fold.abs().sum()) == 0
    cleared = recover(fixed, "none", data=X)
    with torch.no_grad():
        assert torch.equal(cleared(X), net(X))


def test_corrections_are_saved_with_the_weights() -> None:
    model = network()
    fixed = recover(approximate(model, Plan(multiplier="trunc(cut=7)"), calibrate=X), "shared_column(gain=true)", data=X)
    fresh = approximate(model, Plan(multiplier="trunc(cut=7)"))
    fresh.load_state_dict(fixed.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh(X), fixed(X))


def test_messages() -> None:
    with pytest.raises(PlanError, match="recover\\(\\) needs an emulated network"):
        recover(network(), data=X)  # type: ignore[arg-type]
    net = approximate(network(), "trunc(cut=4)", calibrate=X)
    with pytest.raises(UnknownNameError, match="no recovery is called 'bias_corection'; did you mean 'bias_correction'"):
        recover(net, "bias_corection", data=X)
    assert "shared_column" in recoveries


def test_recoveries_that_the_plan_refuses_are_left_out_of_the_ladder() -> None:
    model, labels = network(), torch.zeros(32, dtype=torch.int64)
    net = approximate(model, Plan(precision="outlier", coding="signed"), calibrate=X)
    exact = evaluate(approximate(model, Plan(), calibrate=X), [(X, labels)])
    found = choose(net, exact, calibration=X, decide=[(X, labels)], max_drop=0, ladder=("ranges", "bias_correction"))
    assert [trial.recovery for trial in found.trials] == ["bias_correction"]
    with pytest.raises(PlanError, match="ranges in layer 0 needs integers of one width and scale"):
        choose(net, exact, calibration=X, decide=[(X, labels)], max_drop=0, ladder=("ranges",))


def test_the_ladder_goes_from_cheap_to_dear_in_hardware() -> None:
    """Columns, then factors of channels; the last rung, which takes longest to find, costs the array nothing."""

    def price(spec: str) -> tuple[int, bool]:
        found = planned_columns(spec)
        return found.shared + found.factors, "equalisation" in spec

    prices = [price(spec) for spec in LADDER[:-1]]
    assert prices == sorted(prices)
    assert prices.count((0, True)) == prices.count((1, True)) == prices.count((4, True)) == 1
    assert LADDER[-1] == "ranges + reconstruction"
    assert len({recoveries.get(spec).spec for spec in LADDER}) == len(LADDER)
