"""Recoveries against their definitions."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import inexact as ix
from inexact import units
from inexact.nn import ApproxConv2d, ApproxLayer, ApproxModel, Plan, approximate, workload
from inexact.recovery import recover

X = torch.rand(64, 3, 8, 8, generator=torch.Generator().manual_seed(1))
A, B = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
CODINGS = ("unsigned", "signed", "sign_magnitude")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, stride=2), nn.Flatten(), nn.Linear(54, 5)).eval()


def table(values: Callable[[np.ndarray, np.ndarray], np.ndarray], *, signed: bool = False) -> units.Multiplier:
    a, b = ((A + 128) % 256 - 128, (B + 128) % 256 - 128) if signed else (A, B)
    return units.from_table(values(a, b).astype(np.int32), signed=signed, width=(8, 8))


def rms(net: ApproxModel, model: nn.Module) -> float:
    with torch.no_grad():
        return float((net(X) - model(X)).square().mean().sqrt())


def layer(net: ApproxModel, name: str = "0") -> ApproxConv2d:
    found = net.layers()[name]
    assert isinstance(found, ApproxConv2d)
    return found


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("lowest", [0.0, -0.5])
def test_weight_tuning_is_the_definition(coding: str, lowest: float) -> None:
    """One layer, activations with and without a zero point; the map of every code by three loops over values."""
    unit = table(lambda a, b: a * b + (a * 3) // 4 * (b % 3 == 0) - (b % 5), signed=coding == "signed")
    net = approximate(network(), Plan({"0": ix.Rule(multiplier=unit, coding=coding)}), calibrate=X + lowest)
    before, after = layer(net), layer(recover(net, "weight_tuning"))
    products, za = unit.table(), int(before.a_zero)
    old = before.b_quantiser().quantise(before.weight.detach()).long().flatten()[:12].tolist()
    new = after.b_quantiser().quantise(after.weight.detach()).long().flatten()[:12].tolist()
    low, high = (0, 255) if coding == "unsigned" else (-127, 127)
    values = np.arange(256) if coding != "signed" else (np.arange(256) + 128) % 256 - 128

    def cost(v: int, w: int) -> float:
        row = np.sign(v) * products[:, abs(v)] if coding == "sign_magnitude" else products[:, v % 256]
        return float(np.abs(row - za * v - (values - za) * w).sum())

    for w, chosen in zip(old, new, strict=True):
        assert cost(chosen, w) == pytest.approx(min(cost(v, w) for v in range(low, high + 1)))


def test_weight_tuning_undoes_a_shift_of_weights() -> None:
    """A unit that computes a (b + 5) is exact once weights are 5 smaller, but for codes below 5, which a few weights have."""
    unit, model = table(lambda a, b: a * (b + 5)), network()
    net = approximate(model, Plan({"0": unit}), calibrate=X)
    assert rms(recover(net, "weight_tuning"), model) < rms(net, model) / 5
    assert rms(recover(net, "weight_tuning(weighted=true)", data=X), model) < rms(net, model) / 5


@pytest.mark.parametrize("coding", ["unsigned", "sign_magnitude"])
def test_expected_error_equals_the_empirical_one_without_padding(coding: str) -> None:
    """In a 1x1 convolution every channel's histogram is that of its tap, so both corrections agree."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 1)).eval()
    unit = table(lambda a, b: a * b - (a * b) % 37)
    net = approximate(model, Plan(multiplier=unit, coding=coding), calibrate=X)
    expected, empirical = layer(recover(net, "expected_error", data=X)), layer(recover(net, "bias_correction", data=X))
    assert int(empirical.fold.abs().min()) > 0
    assert int((expected.fold - empirical.fold).abs().max()) <= 1
    coarse = layer(recover(net, "expected_error(histogram=layer)", data=X))
    assert not torch.equal(coarse.fold, expected.fold)


def test_expected_error_of_groups_takes_the_layers_histogram() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3, groups=3)).eval()
    net = approximate(model, Plan(multiplier="trunc(cut=7)"), calibrate=X)
    fine, coarse = (layer(recover(net, f"expected_error(histogram={source})", data=X)) for source in ("channel", "layer"))
    assert torch.equal(fine.fold, coarse.fold)


def test_batch_norm_restores_mean_and_variance() -> None:
    model = network()
    net = approximate(model, Plan(multiplier="mitchell"), calibrate=X)
    fixed = recover(net, "batch_norm", data=X)
    with torch.no_grad():
        wanted, found = model.get_submodule("0")(X), layer(fixed)(X)
    for statistic in (torch.mean, torch.std):
        difference = statistic(found.transpose(0, 1).flatten(1), 1) - statistic(wanted.transpose(0, 1).flatten(1), 1)
        assert float(difference.abs().max()) < 1e-3


def test_the_network_as_target_takes_back_errors_of_layers_before() -> None:
    model = network()
    net = approximate(model, Plan({"0": ix.Rule(multiplier="trunc(cut=8)"), "2": ix.Rule(), "4": None}), calibrate=X)
    spec = "bias_correction(gain=true,target={})"
    alone = recover(net, spec.format("layer"), data=X)
    assert int(layer(alone, "2").fold.abs().max()) == 0  # an exact unit makes no error of its own
    assert int(layer(recover(net, spec.format("network"), data=X), "2").fold.abs().max()) > 0


@pytest.mark.parametrize("padding", ["multiplied", "skipped"])
@pytest.mark.parametrize("coding", ["unsigned", "sign_magnitude"])
def test_control_variate_removes_errors_of_as_many_factors_as_columns(padding: str, coding: str) -> None:
    """The error a**2 for weights up to 128 and a for others is a function of a with other shares in each filter: rank 2."""
    unit = table(lambda a, b: a * b + np.where(b % 2 == 0, a * a // 8, 20 * a))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1)).eval()
    net = approximate(model, Plan(multiplier=unit, padding=padding, coding=coding), calibrate=X)
    bias, one, two = (
        rms(recover(net, spec, data=X), model)
        for spec in ("bias_correction", "control_variate(bits=12)", "control_variate(columns=2,bits=12)")
    )
    assert two <= one < bias
    if coding == "unsigned":
        assert rms(recover(net, "control_variate", data=X), model) < rms(recover(net, "shared_column", data=X), model)


def test_control_variate_is_what_the_integers_say() -> None:
    """The layer's output from its buffers alone, in plain integer arithmetic."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, groups=1)).eval()
    fixed = recover(approximate(model, Plan(multiplier="trunc(cut=8)"), calibrate=X), "control_variate(columns=2,gain=true)", data=X)
    part = layer(fixed)
    a = part.a_quantiser().quantise(X[:2]).long().numpy()
    windows = np.lib.stride_tricks.sliding_window_view(a, (3, 3), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5).reshape(2, 6, 6, -1)
    b = part.b_quantiser().quantise(part.weight.detach()).long().numpy().reshape(4, -1)
    sums = units.get("trunc(cut=8)").table()[windows[..., None, :], b].sum(-1, dtype=np.int64)
    za, zb = int(part.a_zero), part.b_zero.numpy().astype(np.int64).reshape(-1)
    sums += -zb * windows.sum(-1)[..., None] - za * b.sum(1) + 27 * za * zb
    seen = part.control_tables.numpy().astype(np.int64)[:, windows].sum(-1)  # [R, N, H, W]
    shift = int(part.control_shift)
    taken = (np.tensordot(seen, part.control_coefficients.numpy().astype(np.int64), (0, 1)) + (1 << (shift - 1))) >> shift
    scale = part.a_scale.double() * part.b_scale.double().reshape(-1) * part.gain
    expected = (sums - taken - part.fold.numpy()) * scale.numpy()
    assert part.bias is not None
    with torch.no_grad():
        found = part(X[:2]) - part.bias[:, None, None]
    assert np.allclose(found.numpy().transpose(0, 2, 3, 1), expected, atol=1e-5)
    assert int(part.control_coefficients.abs().max()) == 127


def test_columns_are_charged_by_the_accelerator() -> None:
    model = network()
    net = approximate(model, Plan(multiplier="trunc(cut=7)"), calibrate=X)
    costs = []
    for spec in ("bias_correction", "shared_column", "control_variate", "control_variate(columns=2)", "control_variate(columns=2,bits=16)"):
        fixed = recover(net, spec, data=X)
        cost = ix.estimate(fixed)
        costs.append((cost.energy_pj.by_component["correction_column"].value, cost.area_um2.by_component["correction_column"].value))
        planned = workload(fixed).layers[0].arithmetic
        assert planned.columns == {"b": 0, "s": 1}.get(spec[0], 2 if "columns=2" in spec else 1)
    assert costs[0] == (0, 0)
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in itertools.pairwise(costs))


@pytest.mark.parametrize("coding", CODINGS)
def test_reconstruction_lowers_the_output_error(coding: str) -> None:
    model = network()
    unit = table(lambda a, b: a * (b - b % 4), signed=coding == "signed")
    net = approximate(model, Plan(multiplier=unit, coding=coding), calibrate=X)
    bias = rms(recover(net, "bias_correction(gain=true,target=network)", data=X), model)
    assert rms(recover(net, "reconstruction(positions=1024)", data=X), model) < bias


def test_reconstruction_moves_no_weight_further_than_its_reach() -> None:
    net = approximate(network(), Plan(multiplier="trunc(cut=8)"), calibrate=X)
    fixed = recover(net, "reconstruction(reach=2,sweeps=1,positions=512)", data=X)
    moved = 0
    for name, part in net.layers().items():
        other = fixed.layers()[name]
        assert isinstance(part, ApproxLayer)
        assert isinstance(other, ApproxLayer)
        change = (part.b_quantiser().quantise(part.weight) - other.b_quantiser().quantise(other.weight)).abs()
        assert int(change.max()) <= 2
        moved += int((change > 0).sum())
    assert moved > 0


def test_reconstruction_leaves_pruned_weights_out() -> None:
    plan = Plan({"2": ix.Rule(multiplier="trunc(cut=7)", coding="sign_magnitude", reduction="structured_sparsity(n=2,m=4)")})
    net = approximate(network(), plan, calibrate=X)
    before, after = layer(net, "2"), layer(recover(net, "reconstruction(positions=512)", data=X), "2")
    assert bool((before.weight == 0).any())
    assert bool((after.weight[before.weight == 0] == 0).all())


def test_ranges_avoid_codes_a_unit_gets_wrong() -> None:
    """Products of activations from 128 up are 0: smaller activation codes serve the unit better."""
    unit, model = table(lambda a, b: np.where(a < 128, a * b, 0)), network()
    net = approximate(model, Plan({"0": ix.Rule(multiplier=unit, coding="sign_magnitude")}), calibrate=X)
    fixed = recover(net, "ranges(factors=(0.7,2.0))", data=X)
    assert rms(fixed, model) < rms(recover(net, "bias_correction(gain=true)", data=X), model) / 2
    assert float(layer(fixed).a_scale) == pytest.approx(2 * float(layer(net).a_scale))


def test_ranges_move_the_zero_point_with_the_scale() -> None:
    """Products of activations from 128 up are 0; the zero point 128 of activations from -0.5 to 0.5 is halved."""
    unit, model = table(lambda a, b: np.where(a < 128, a * b, 0)), network()
    net = approximate(model, Plan({"0": ix.Rule(multiplier=unit, coding="sign_magnitude")}), calibrate=X - 0.5)
    moved = layer(recover(net, "ranges(factors=(0.9,2.01),rounds=2)", data=X - 0.5))
    assert int(layer(net).a_zero) in {127, 128}
    assert int(moved.a_zero) == round(int(layer(net).a_zero) / 2.01)
    assert float(moved.a_scale) == pytest.approx(2.01 * float(layer(net).a_scale))
    assert int(moved.a_codes(X - 0.5).max()) < 128
