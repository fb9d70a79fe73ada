"""Units of operands too wide for a table, in layers: held to loops over the unit's function."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import circuits, units
from inexact.core.errors import FormatError, PlanError
from inexact.nn import Plan, approximate, workload
from inexact.nn._layer import ApproxLayer
from inexact.nn._wide import products_by_function
from inexact.recovery import recover
from inexact.units import Multiplier


def looped(layer: ApproxLayer, source: nn.Conv2d, a: Tensor, b: Tensor) -> Tensor:
    """Sums of (a - za)(b - zb) with the products through the unit, one after the other."""
    unit = layer.rule.unit
    assert isinstance(unit, Multiplier)
    (stride, _), (dilation, _), groups = source.stride, source.dilation, source.groups
    inside = torch.ones(a.shape[2:], dtype=torch.bool)
    if layer.rule.padding == "skipped":
        inside[:] = False
        inside[1:-1, 1:-1] = True
    za = int(layer.a_zero)
    height = (a.shape[2] - dilation * (b.shape[2] - 1) - 1) // stride + 1
    width = (a.shape[3] - dilation * (b.shape[3] - 1) - 1) // stride + 1
    out = torch.zeros(a.shape[0], b.shape[0], height, width, dtype=torch.float64)
    for n, o, y, x in itertools.product(*map(range, out.shape)):
        zb = int(layer.b_zero.reshape(-1).expand(b.shape[0])[o])
        first = o // (b.shape[0] // groups) * b.shape[1]
        for c, i, j in itertools.product(*map(range, b.shape[1:])):
            row, column = y * stride + i * dilation, x * stride + j * dilation
            left, right = int(a[n, first + c, row, column]), int(b[o, c, i, j])
            if not inside[row, column]:
                assert left == za
                continue
            magnitudes = layer.rule.coding == "sign_magnitude"
            product = int(np.sign(right)) * int(unit(left, abs(right))) if magnitudes else int(unit(left, right))
            out[n, o, y, x] += product - za * right - zb * left + za * zb
    return out


CASES = [
    ("unsigned", "drum(k=4,width=12)", {"stride": 2, "padding": 1}),
    ("unsigned", "mitchell(width=(10,10))", {"dilation": 2}),
    ("sign_magnitude", "trunc(cut=9,correction=constant,width=12)", {"groups": 2, "padding": 1}),
    ("sign_magnitude", "stochastic(length=13,width=9)", {"padding": 1}),
    ("signed", "operand_trunc(cut_a=3,cut_b=5,signed=true,width=(16,12))", {"groups": 2}),
]


@pytest.mark.parametrize("padding", ["multiplied", "skipped"])
@pytest.mark.parametrize(("coding", "spec", "geometry"), CASES)
def test_wide_sums_are_those_of_loops(coding: str, spec: str, geometry: dict[str, int], padding: str) -> None:
    torch.manual_seed(0)
    source = nn.Conv2d(2, 4, 3, bias=False, **geometry)  # type: ignore[arg-type]
    x = torch.randn(2, 2, 6, 7) + 0.7
    a_bits, b_bits = units.multipliers.get(spec).width
    plan = Plan(multiplier=spec, precision=f"int(a_bits={a_bits},b_bits={b_bits})", coding=coding, padding=padding)
    layer = approximate(nn.Sequential(source), plan, calibrate=x).model[0]  # type: ignore[index]
    assert isinstance(layer, ApproxLayer)
    a, b = layer.a_codes(x), layer.b_codes()
    if padding == "skipped" and not geometry.get("padding"):
        pytest.skip("nothing is padded")
    assert torch.equal(layer.sums(a, b), looped(layer, source, a, b))


def test_the_function_gives_what_the_netlist_gives() -> None:
    unit = units.multipliers.get("mbm(width=12)")
    circuit = unit.circuit()
    assert circuit is not None
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4096, (7, 33)), rng.integers(0, 4096, (5, 33))
    assert np.array_equal(products_by_function(unit, a, b), unit(a[:, None], b[None]).sum(-1))
    assert np.array_equal(products_by_function(unit, a, b), circuits.gemm(circuit, a, b))
    assert products_by_function(unit, a[:0], b).shape == (0, 5)


def small_network() -> nn.Module:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 4)).eval()
    model.input_shape = (1, 6, 6)  # type: ignore[assignment]
    return model


def test_a_whole_network_is_corrected_evaluated_and_charged() -> None:
    x, model = torch.randn(8, 1, 6, 6), small_network()
    plan = Plan(multiplier="trunc(cut=18,width=16)", precision="int16", coding="unsigned", recovery="bias_correction")
    net = recover(approximate(model, plan, calibrate=x), data=x)
    raw = approximate(model, plan, calibrate=x)
    error, uncorrected = (float((some(x) - model(x)).detach().abs().mean()) for some in (net, raw))
    assert error < 0.9 * uncorrected
    assert {layer.arithmetic.a_bits for layer in workload(net).multiplying} == {16}
    net(x).sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) and bool(p.grad.any()) for p in net.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accumulator": "accumulator(width=32)"}, "sums of drum.* wider than 8 bits, are exact: leave the accumulator away"),
        ({"gradient": "linear_fit"}, "the gradient of drum.* wider than 8 bits, must be straight_through, not linear_fit"),
    ],
)
def test_what_a_wide_unit_cannot_do_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        Plan(multiplier="drum(k=6,width=12)", precision="int12", **change)  # type: ignore[arg-type]


def test_reductions_and_recoveries_that_need_a_table_are_refused() -> None:
    x, model = torch.randn(8, 1, 6, 6), small_network()
    plan = {"multiplier": "drum(k=6,width=12)", "precision": "int12", "coding": "sign_magnitude"}
    with pytest.raises(PlanError, match=r"zero_skipping in layer 0 looks products up in a table, which drum.* is too wide for"):
        approximate(model, Plan(**plan, reduction="zero_skipping"), calibrate=x)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match=r"needs the table of an approximate unit, which only those of at most 8-bit operands have; drum"):
        recover(approximate(model, Plan(**plan, recovery="expected_error"), calibrate=x), data=x)  # type: ignore[arg-type]


def test_layers_without_windows_are_refused() -> None:
    model = nn.Sequential(nn.ConvTranspose2d(1, 2, 3))
    with pytest.raises(PlanError, match=r"drum.* is for Conv2d and Linear layers, not for layer 0: give it operands of at most 8 bits"):
        approximate(model, Plan(multiplier="drum(k=6,width=12)", precision="int12"), calibrate=torch.randn(2, 1, 5, 5))
