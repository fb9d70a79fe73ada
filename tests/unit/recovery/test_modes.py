"""Recoveries that choose modes of reconfigurable units, against their definitions written in loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from inexact import units
from inexact.core.errors import PlanError, SpecError
from inexact.nn import ApproxLayer, ApproxModel, Plan, Rule, approximate
from inexact.recovery import recover, recoveries
from inexact.recovery.pn_balance import NEGATIVE, POSITIVE, paired

X = torch.rand(32, 3, 8, 8, generator=torch.Generator().manual_seed(1)) - 0.2
PN = Rule(multiplier="pn(bits=5)", modes="per_weight")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, stride=2), nn.Flatten(), nn.Linear(54, 5)).eval()


def layer_of(net: ApproxModel, name: str = "0") -> ApproxLayer:
    found = net.layers()[name]
    assert isinstance(found, ApproxLayer)
    return found


def modes_of(layer: ApproxLayer) -> np.ndarray:
    assert layer.modes is not None
    return layer.modes.numpy()


def expected(layer: ApproxLayer, x: torch.Tensor) -> np.ndarray:
    """[3, O, C, kh, kw]: mean error of each weight in each mode over the padded activations of its channel, product by product."""
    a, b = layer.a_codes(x).numpy().astype(int), layer.b_codes().detach().numpy().astype(int)
    tables = [unit.table().astype(int) for unit in units.get(str(layer.rule.multiplier)).modes().values()]
    found = np.zeros((3, *b.shape))
    for mode, place in np.ndindex(3, b.size):
        at = np.unravel_index(place, b.shape)
        w, met = b[at], a[:, at[1]].ravel()
        answers = np.sign(w) * tables[mode][met, abs(w)] if layer.rule.coding == "sign_magnitude" else tables[mode][met, w]
        found[(mode, *at)] = (answers - met * w).mean()
    return found


@pytest.mark.parametrize("coding", ["unsigned", "sign_magnitude"])
@pytest.mark.parametrize("start", ["pairs", "nearest", "negative"])
def test_balanced_modes_bring_the_expected_error_of_every_filter_near_zero(start: str, coding: str) -> None:
    net = approximate(network(), Plan({"0": PN.but(coding=coding)}), calibrate=X)
    layer = layer_of(recover(net, f"pn_balance(start={start})", data=X))
    errors, modes = expected(layer, X), modes_of(layer)
    total = np.take_along_axis(errors, modes[None].astype(int), 0)[0].reshape(8, -1).sum(1)
    negative = errors[NEGATIVE].reshape(8, -1).sum(1)
    smallest = np.abs(np.diff(errors, axis=0)).reshape(2, 8, -1).max(2).max(0)
    assert (np.abs(total) <= smallest).all()  # less than one weight's modes differ by
    assert coding == "sign_magnitude" or np.abs(total).max() < np.abs(negative).min() / 10
    assert start != "pairs" or set(modes.ravel()) == {POSITIVE, NEGATIVE}


def test_pairs_of_equal_weights_take_opposite_modes_and_the_rest_follow_the_largest_first() -> None:
    patterns = torch.tensor([[7, 3, 7, 3, 3, 9]])
    up = torch.tensor([[2.0, 5.0, 2.0, 5.0, 5.0, 30.0]], dtype=torch.float64)
    down = torch.tensor([[-4.0, -1.0, -4.0, -1.0, -1.0, -10.0]], dtype=torch.float64)
    modes = paired(patterns, torch.stack([torch.zeros_like(up), up, down]))[0].tolist()
    assert sorted((modes[0], modes[2])) == [POSITIVE, NEGATIVE]
    assert sorted((modes[1], modes[3])) == [POSITIVE, NEGATIVE]
    # pairs leave 2 - 4 + 5 - 1 = 2; the nine has the larger errors and goes first: |2 - 10| < |2 + 30|; then the three: |-8 + 5| < |-8 - 1|
    assert modes[5] == NEGATIVE
    assert modes[4] == POSITIVE


@pytest.mark.parametrize("coding", ["unsigned", "sign_magnitude"])
def test_ranges_are_distances_of_codes_from_the_code_of_zero(coding: str) -> None:
    plan = Plan(multiplier="lvrm", modes="per_weight", coding=coding, precision="int(granularity=per_channel)")
    net = recover(approximate(network(), plan, calibrate=X), "lvrm_ranges(strong=20,weak=60)")
    for layer in net.layers().values():
        assert isinstance(layer, ApproxLayer)
        steps = np.round(layer.weight.detach().numpy() / layer.b_scale.numpy())
        wanted = np.where(np.abs(steps) <= 20, 2, np.where(np.abs(steps) <= 60, 1, 0))
        assert (modes_of(layer) == wanted).mean() > 0.99  # rounding of codes at the ends of the range
        assert set(np.unique(modes_of(layer))) == {0, 1, 2}


def test_the_outermost_weight_decides_for_a_filter() -> None:
    plan = Plan(multiplier="lvrm", modes="per_filter", coding="sign_magnitude")
    net = approximate(network(), plan, calibrate=X)
    outermost = [layer_of(net, name).b_codes().abs().flatten(1).amax(1) for name in ("0", "2")]
    middle = int(torch.cat(outermost).median())
    found = recover(net, f"lvrm_ranges(strong=-1,weak={middle})")
    for name, largest in zip(("0", "2"), outermost, strict=True):
        assert (modes_of(layer_of(found, name)).ravel() == (largest <= middle).numpy()).all()


def test_stages_behind_the_modes_see_them() -> None:
    net = approximate(network(), Plan({"0": PN}), calibrate=X)
    chained = layer_of(recover(net, "pn_balance + bias_correction", data=X))
    alone = layer_of(recover(recover(net, "pn_balance", data=X), "bias_correction", data=X))
    assert torch.equal(chained.fold, alone.fold)
    assert (modes_of(chained) == modes_of(alone)).all()
    expectation = layer_of(recover(net, "pn_balance + expected_error", data=X))
    errors = expected(expectation, X)
    wanted = np.take_along_axis(errors, modes_of(expectation)[None].astype(int), 0)[0].reshape(8, -1).sum(1)
    assert np.abs(expectation.fold.numpy() - wanted).max() <= 0.5


def test_columns_follow_the_modes_of_the_weights() -> None:
    """All weights positive mode: the error a (31 - x) averages to a column; with another map the column is another."""
    net = approximate(network(), Plan({"0": PN}), calibrate=X)
    first = layer_of(recover(net, "shared_column", data=X)).column
    layer_of(net).set_modes(torch.full((8, 3, 3, 3), POSITIVE))
    second = layer_of(recover(net, "shared_column", data=X)).column
    assert int(first[255]) < 0 < int(second[255])
    rest = recover(net, "control_variate(columns=1)", data=X)
    assert layer_of(rest).has_control


@pytest.mark.parametrize(
    ("rule", "spec", "error", "message"),
    [
        (PN, "lvrm_ranges", PlanError, r"lvrm_ranges in layer 0 chooses modes of lvrm, but its unit is pn\("),
        (Rule(multiplier="trunc(cut=4)"), "pn_balance", PlanError, r"pn_balance in layer 0 chooses modes of pn, but its unit is trunc"),
        (Rule(multiplier="pn"), "pn_balance", PlanError, r"pn_balance in layer 0 needs modes = 'per_weight' .* not 'uniform'"),
        (PN.but(modes="per_filter"), "pn_balance", PlanError, r"needs modes = 'per_weight' in the layer's rule, not 'per_filter'"),
        (PN, "weight_tuning", PlanError, "weight_tuning in layer 0 needs a unit of one mode, but its weights have modes"),
        (PN, "reconstruction", PlanError, "reconstruction in layer 0 needs a unit of one mode"),
        (PN, "bias_correction + pn_balance", SpecError, "pn_balance must come first in .*: what stands before it was found for"),
        (PN, "pn_balance(start=pair)", SpecError, "start must be pairs, nearest or negative, not 'pair'; did you mean 'pairs'"),
        (PN, "lvrm_ranges(strong=40)", SpecError, r"strong must be at most weak \(30\): .*, not 40"),
        (PN, "lvrm_ranges(weak=256)", SpecError, "weak must be -1..255, not 256"),
    ],
)
def test_what_does_not_fit_is_refused(rule: Rule, spec: str, error: type[Exception], message: str) -> None:
    net = approximate(network(), Plan({"0": rule}), calibrate=X)
    with pytest.raises(error, match=message):
        recover(net, spec, data=torch.cat([X, X]))


def test_modes_stand_among_what_recoveries_change() -> None:
    assert [name for name in recoveries if "modes" in recoveries[name].facts.changes] == ["lvrm_ranges", "pn_balance"]
