"""Products taken too early: a layer against a simulation of its array product by product, voltages, policies, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import units
from inexact.core.errors import FaultError, HardwareError, SpecError
from inexact.hardware import slowdown, technology
from inexact.nn import ApproxLayer, ApproxModel, Plan, approximate
from inexact.reliability import ChipFault, Subject, faults
from inexact.reliability._late_sums import Tally
from inexact.reliability._stage import Stage, latest_changes, stage, taken_products
from inexact.reliability.late_products import with_late_products

FACTOR = 1.45
"""Slow enough for late products in operands of four bits."""

PLANS = {
    "unsigned": Plan(precision="int(a_bits=4,b_bits=4)", multiplier="exact(width=4)"),
    "signed": Plan(precision="int(a_bits=4,b_bits=4)", coding="signed", multiplier="exact(width=4,signed=true)"),
    "sign_magnitude": Plan(precision="int(a_bits=4,b_bits=4)", coding="sign_magnitude", multiplier="exact(width=4)"),
    "approximate": Plan(precision="int(a_bits=4,b_bits=4)", multiplier="mitchell(width=4)"),
}


def network(plan: Plan, *, groups: int = 1) -> tuple[ApproxModel, Tensor]:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(2, 4, 2, stride=(1, 2), groups=groups), nn.Flatten(), nn.Linear(32, 3))
    x = torch.rand(2, 2, 5, 5, generator=torch.Generator().manual_seed(4)) * 2 - 1
    return approximate(net, plan, calibrate=x), x


def windows(layer: ApproxLayer, x: Tensor) -> np.ndarray:
    """Activation patterns [N, steps, groups, K] by plain indexing."""
    a = layer.arithmetic.a_patterns(layer.a_codes(x)).numpy()
    if a.ndim == 2:
        return a[:, None, None, :]
    groups, own = layer.contraction_groups, layer.weight.shape[1]
    steps = [(row, column) for row in range(4) for column in (0, 2)]
    found = [
        [[a[n, g * own : (g + 1) * own, r : r + 2, c : c + 2].ravel() for g in range(groups)] for r, c in steps] for n in range(len(a))
    ]
    return np.array(found)


def operand_and_sign(layer: ApproxLayer, pattern: int) -> tuple[int, int]:
    if layer.rule.coding != "sign_magnitude":
        return pattern, 1
    value = pattern - 16 if pattern >= 8 else pattern
    return abs(value), (value > 0) - (value < 0)


def one_by_one(layer: ApproxLayer, x: Tensor, factor: float, policy: str, order: str, rows: int) -> tuple[Tensor, Tally]:
    """Errors of all sums [N, O, steps]: each product of each element in the order of time, simulated alone."""
    found = stage(layer.rule.unit.spec)
    streams, weights = windows(layer, x), layer.arithmetic.b_patterns(layer.b_codes()).flatten(1).numpy()
    images, steps, groups, taps = streams.shape
    errors, tally = np.zeros((images, len(weights), steps), np.int64), Tally()
    for image, channel, step in np.ndindex(images, len(weights), steps):
        dropped = False
        group = channel * groups // len(weights)
        for tap in range(taps):
            (b, sign), a = operand_and_sign(layer, int(weights[channel, tap])), int(streams[image, step, group, tap])
            if order == "weight_stationary":
                before = (int(streams[image, step - 1, group, tap]) if step else 0, b)
                dropped = dropped and tap % rows != 0
            else:
                last = int(streams[image, step, group, tap - 1]) if tap else 0
                before = (last, operand_and_sign(layer, int(weights[channel, tap - 1]))[0] if tap else 0)
            taken, right = taken_products(found, _single(before), _single((a, b)), [found.edge_ns(factor)])
            late = taken[0, 0] != right[0] and sign != 0
            tally.products += 1
            if policy == "te_drop" and dropped:
                errors[image, channel, step] -= sign * right[0]
                tally.dropped += 1
                dropped = False
                continue
            tally.late += int(late)
            dropped = bool(late)
            if policy == "none":
                errors[image, channel, step] += sign * (taken[0, 0] - right[0])
    return torch.from_numpy(errors), tally


def _single(pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([pair[0]]), np.array([pair[1]])


CASES = [
    ("unsigned", "none", "weight_stationary", 1),
    ("unsigned", "te_drop", "weight_stationary", 2),
    ("signed", "te_drop", "output_stationary", 1),
    ("signed", "none", "weight_stationary", 2),
    ("sign_magnitude", "none", "output_stationary", 1),
    ("sign_magnitude", "te_drop", "weight_stationary", 1),
    ("approximate", "boost", "weight_stationary", 1),
    ("approximate", "te_drop", "output_stationary", 2),
    ("unsigned", "boost", "output_stationary", 1),
]


@pytest.mark.parametrize(("plan", "policy", "order", "groups"), CASES)
def test_a_layer_errs_as_its_array_does_product_by_product(plan: str, policy: str, order: str, groups: int) -> None:
    net, x = network(PLANS[plan], groups=groups)
    found = with_late_products(net, {"0": FACTOR}, policy=policy, order=order, array_rows=3)
    whole, late = net.layers()["0"], found.net.layers()["0"]
    assert isinstance(whole, ApproxLayer)
    assert isinstance(late, ApproxLayer)
    with torch.no_grad():
        codes = whole.a_codes(x), whole.b_codes()
        assert late.disturbance is not None
        got = late.disturbance(*codes)
        expected, tally = one_by_one(whole, x, FACTOR, policy, order, 3)
    assert torch.equal(got, expected.reshape(got.shape).double())
    assert found.tallies["0"] == tally
    assert tally.late > 0
    assert (policy == "te_drop") == (tally.dropped > 0)


@pytest.mark.parametrize("policy", ["none", "te_drop"])
def test_nothing_is_late_while_static_timing_is_met(policy: str) -> None:
    net, x = network(PLANS["unsigned"])
    factor = stage("exact(width=4)", margin=0.3).longest_factor
    found = with_late_products(net, dict.fromkeys(net.layers(), factor * 0.999), policy=policy, margin=0.3)
    assert torch.equal(found.net(x), net(x))
    assert found.total.late == 0
    assert found.total.products == 2 * (8 * 8 * 4 + 32 * 3)
    assert factor == pytest.approx(1.3)


def test_the_fault_is_the_array_at_its_voltage_and_results_do_not_depend_on_the_batch() -> None:
    net, x = network(PLANS["unsigned"])
    found = Subject.of(net, x)
    fault = faults.get("late_products(voltage=0.75,layers='0')")
    assert isinstance(fault, ChipFault)
    (stratum,) = fault.population(found)
    late = fault.faulty(found, fault.site(found, stratum, 0))
    factor = slowdown(technology("45nm"), 0.75)
    assert factor == pytest.approx((0.75 / 0.45**1.3) / (1.1 / 0.8**1.3))
    assert torch.equal(late(x), with_late_products(net, {"0": factor}).net(x))
    assert torch.equal(late(x)[1:], late(x[1:]))
    assert not torch.equal(late(x), net(x))


def test_a_stage_has_the_time_that_its_registers_leave() -> None:
    found: Stage = stage("exact(width=4)")
    assert found.clock_ns == pytest.approx(found.path_ns + found.overhead_ns)
    assert found.edge_ns(1.0) == pytest.approx(found.path_ns)
    assert found.edge_ns(2.0) == pytest.approx(found.clock_ns / 2 - found.overhead_ns)
    assert found.edge_ns(1e6) == 0.0


def test_bits_settle_no_later_than_static_timing_says() -> None:
    found = stage("exact(width=4)")
    codes = np.arange(16)
    a0, a1, b = (grid.ravel() for grid in np.meshgrid(codes, codes, codes, indexing="ij"))
    latest = latest_changes(found, (a0, b), (a1, b))
    assert latest.shape == (4096, 8)
    assert 0.5 * found.path_ns < latest.max() <= found.path_ns * 1.01
    assert latest[a0 == a1].max() == 0.0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("late_products(policy=retry)", r"a policy must be one of none, te_drop, boost, not 'retry'"),
        ("late_products(order=row_stationary)", r"in the order of weight_stationary or output_stationary, not 'row_stationary'"),
    ],
)
def test_unknown_policies_and_orders_are_refused(spec: str, message: str) -> None:
    with pytest.raises(FaultError, match=message):
        faults.get(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("late_products(array_rows=0)", r"array_rows must be a whole number from 1 on, not 0"),
        ("late_products(drift=-0.01)", r"drift must be 0 V or more: thresholds rise with age, not -0.01"),
    ],
)
def test_bad_parameters_are_refused(spec: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        faults.get(spec)


def test_units_without_netlist_wide_units_and_low_voltages_are_refused() -> None:
    table = units.from_table(np.zeros((256, 256), np.int32), signed=False, width=(8, 8))
    with pytest.raises(FaultError, match=r"timing errors need the netlist of a unit, which .* has not"):
        stage(table.spec)
    with pytest.raises(FaultError, match=r"units of at most 8 bits an operand, but exact\(width=12\) has 12"):
        stage("exact(width=12)")
    with pytest.raises(FaultError, match=r"a margin must be 0..10 cycles, not -1"):
        stage("exact(width=4)", margin=-1)
    with pytest.raises(HardwareError, match=r"a voltage must be above 0.4 V \(threshold of 0.3 V and 0.1 V\), not 0.35"):
        stage("exact(width=4)").slowdown(0.35)
    with pytest.raises(HardwareError, match=r"above 0.45 V \(threshold of 0.3 V, risen by 0.05 V, and 0.1 V\), not 0.42"):
        stage("exact(width=4)").slowdown(0.42, 0.05)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan(padding="skipped"), r"padding that is multiplied and exact sums, but layer 0 has padding=skipped and accumulator=exact"),
        (Plan(precision="mxint8"), r"integers of one scale, which mxint8 of layer 0 has not"),
        (Plan(multiplier="lvrm", modes="per_filter"), r"units of one mode, but layer 0 has modes 'per_filter': leave them away"),
    ],
)
def test_layers_without_a_stream_of_integers_are_refused(plan: Plan, message: str) -> None:
    x = torch.rand(2, 2, 5, 5)
    net = approximate(nn.Sequential(nn.Conv2d(2, 3, 3, padding=1)), plan, calibrate=x)
    with pytest.raises(FaultError, match=message):
        with_late_products(net, {"0": 1.2})
