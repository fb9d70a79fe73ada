"""Block formats: conversion against another library bit for bit, layers against loops, units inside blocks, what is refused."""

from __future__ import annotations

from typing import Any

import gfloat
import numpy as np
import pytest
import torch
from gfloat import formats as reference
from torch import Tensor, nn

from inexact import units
from inexact.core.errors import FormatError, PlanError, SpecError
from inexact.nn import Plan, Product, Rule, approximate, operand_histograms
from inexact.precision import Block, get
from inexact.recovery import recover

OCP: dict[str, Any] = {
    "mxint8": reference.format_info_mxint8,
    "mxfp8_e4m3": reference.format_info_mxfp8_e4m3,
    "mxfp8_e5m2": reference.format_info_mxfp8_e5m2,
    "mxfp6_e3m2": reference.format_info_mxfp6_e3m2,
    "mxfp6_e2m3": reference.format_info_mxfp6_e2m3,
    "mxfp4_e2m1": reference.format_info_mxfp4_e2m1,
}


def block(spec: str) -> Block:
    found = get(spec)
    assert isinstance(found, Block)
    return found


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) * torch.exp2(torch.empty(shape).uniform_(-6, 6, generator=generator))


@pytest.mark.parametrize("name", OCP)
def test_blocks_convert_as_gfloat_does(name: str) -> None:
    form, info = block(name), OCP[name]
    values = drawn(60, 32)
    values[0] = 0
    values[1, 1:] = 0
    values[2] *= 1e-30
    values[3] = 2.0 ** torch.arange(-16, 16)
    found = form.restored(values)
    for row, mine in zip(values.numpy().astype(np.float64), found.numpy().astype(np.float64), strict=True):
        # the OCP's conversion saturates
        theirs = gfloat.quantize_block(info, row, gfloat.compute_scale_amax, round=gfloat.RoundMode.TiesToEven)
        top = 2.0 ** (np.floor(np.log2(abs(row).max())) - form.top_exponent) * gfloat_max(form) if row.any() else 0.0
        assert np.array_equal(mine, np.clip(theirs, -top, top))


def gfloat_max(form: Block) -> float:
    """The largest element that is used: integers are symmetric."""
    elements = form.elements()
    return float(elements.dequantise(torch.tensor(float(elements.high))))


@pytest.mark.parametrize("spec", [*OCP, "block(element=int4,size=5)"])
def test_conversion_round_trips(spec: str) -> None:
    form, values = block(spec), drawn(7, 40, 3)
    once = form.restored(values)
    assert torch.equal(form.restored(once), once)
    codes, exponents = form.split(once)
    assert codes.shape == once.shape
    assert exponents.shape == (7, 1, -(-40 // form.size), 3)


def by_loops(a: Tensor, b: Tensor, form: Block, unit: Any, stride: int, groups: int) -> Tensor:
    """[N, O, H', W'] of padded images and weights, block by block in float32."""
    x, x_powers = (part.double().numpy() for part in form.split(a, groups))
    w, w_powers = (part.double().numpy() for part in form.split(b))
    n, (o, each, kh, kw) = len(a), b.shape
    rows, columns = (a.shape[2] - kh) // stride + 1, (a.shape[3] - kw) // stride + 1
    out = np.zeros((n, o, rows, columns), dtype=np.float32)
    for i, f, r, c in np.ndindex(*out.shape):
        group = f // (o // groups)
        total: np.float32 | None = None
        for y, z in np.ndindex(kh, kw):
            for number, start in enumerate(range(0, each, form.size)):
                stop = min(start + form.size, each)
                left = x[i, group * each + start : group * each + stop, r * stride + y, c * stride + z]
                sums = unit(left, w[f, start:stop, y, z]).sum()
                power = x_powers[i, group, number, r * stride + y, c * stride + z] + w_powers[f, 0, number, y, z]
                term = np.float32(sums * form.element_step**2 * 2.0**power)
                total = term if total is None else np.float32(total + term)
        out[i, f, r, c] = total if total is not None else 0
    return torch.from_numpy(out)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("spec", ["block(element=int8,size=3)", "block(element=int4,size=4)", "block(element=e2m3,size=3)"])
def test_convolutions_add_blocks_in_order(spec: str, groups: int) -> None:
    form = block(spec)
    torch.manual_seed(groups)
    layer = nn.Conv2d(8, 4, 3, stride=2, padding=1, groups=groups)
    x = drawn(2, 8, 5, 5)

    def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        if form.system is None:
            return np.asarray(p * q)
        elements = form.elements()
        first, second = (elements.dequantise(torch.from_numpy(part).float()).double().numpy() for part in (p, q))
        return np.asarray(first * second)

    with torch.no_grad():
        net = approximate(nn.Sequential(layer), Plan(precision=spec), calibrate=x)
        assert layer.bias is not None
        expected = by_loops(torch.nn.functional.pad(x, (1, 1, 1, 1)), layer.weight, form, product, 2, groups)
        assert torch.equal(net(x), expected + layer.bias.reshape(1, -1, 1, 1))


def test_approximate_units_multiply_inside_blocks() -> None:
    unit = units.get("sign_magnitude(multiplier=drum(k=3))")
    form = block("mxint8")
    torch.manual_seed(2)
    layer, x = nn.Linear(70, 6), drawn(4, 70)

    def product(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return np.asarray(unit(p.astype(np.int64), q.astype(np.int64))).astype(np.float64)

    with torch.no_grad():
        net = approximate(nn.Sequential(layer), Plan(precision="mxint8", multiplier=unit), calibrate=x)
        expected = by_loops(x[:, :, None, None], layer.weight[:, :, None, None], form, product, 1, 1)[:, :, 0, 0]
        assert torch.equal(net(x), expected + layer.bias)
        assert not torch.equal(net(x), approximate(nn.Sequential(layer), Plan(precision="mxint8"), calibrate=x)(x))


@pytest.mark.parametrize(
    ("spec", "worst"), [("mxint8", 0.02), ("mxfp8_e4m3", 0.1), ("mxfp8_e5m2", 0.2), ("mxfp6_e2m3", 0.06), ("mxfp4_e2m1", 0.5)]
)
def test_outputs_stay_near_float(spec: str, worst: float) -> None:
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 40, 3, padding=1), nn.ReLU(), nn.Conv2d(40, 40, 3, groups=40), nn.Flatten(), nn.Linear(1440, 5)
    ).eval()
    x = torch.randn(6, 3, 8, 8)
    with torch.no_grad():
        net = approximate(network, Plan(precision=spec), calibrate=x)
        assert 0 < float((net(x) - network(x)).norm() / network(x).norm()) < worst
        assert torch.equal(net(x[:2]), net(x)[:2])
    y = x.clone().requires_grad_()
    net(y).sum().backward()
    assert y.grad is not None
    assert float(y.grad.abs().sum()) > 0


def test_codes_are_counted_and_zeros_skipped() -> None:
    torch.manual_seed(4)
    network = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    x = torch.randn(8, 4, 9, 9)
    with torch.no_grad():
        net = approximate(network, Plan(precision="mxint8", reduction="zero_skipping"), calibrate=x)
        found = operand_histograms(net, x)["2"]
        assert found.a.sum() == 8 * 4 * 49
        share = found.a[0] / found.a.sum()
        assert 0.2 < share < 0.8
        assert net.works()["2"].multiplications == pytest.approx(1 - share, abs=0.05)
        assert torch.equal(net(x), approximate(network, Plan(precision="mxint8"), calibrate=x)(x))


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        ({"precision": "block(element=int9)"}, SpecError, "element must be one of int2, .* not 'int9'"),
        ({"precision": "block(size=0)"}, SpecError, r"size must be 1\.\.1024, not 0"),
        ({"precision": "mxint8", "coding": "sign_magnitude"}, PlanError, "elements of mxint8 have a sign"),
        (
            {"precision": "mxint8", "recovery": "bias_correction"},
            PlanError,
            "sums of mxint8 are float32, which bias_correction cannot correct",
        ),
        ({"precision": "mxint8", "accumulator": "accumulator(width=24)"}, PlanError, "sums of mxint8 are formed block by block"),
        ({"precision": "mxint8", "gradient": "linear_fit"}, PlanError, "the gradient of mxint8 must be straight_through"),
        ({"precision": "mxint8", "multiplier": "drum(k=4)"}, PlanError, "coding 'signed' needs a unit for signed operands"),
        ({"precision": "mxfp4_e2m1", "multiplier": "drum(k=4)"}, PlanError, "mxfp4_e2m1 needs a unit of e2m1"),
    ],
)
def test_what_does_not_fit_is_refused(rule: dict[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Rule(**rule)


def test_layers_without_channels_in_blocks_are_refused() -> None:
    with pytest.raises(PlanError, match="mxint8 is for Conv2d and Linear layers, not for layer 0: give it another precision"):
        approximate(nn.Sequential(nn.Conv1d(2, 2, 3)), Plan(precision="mxint8"), calibrate=torch.randn(2, 2, 8))

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.product = Product()

        def forward(self, x: Tensor) -> Tensor:
            product: Tensor = self.product(x, x.transpose(-1, -2))
            return product

    with pytest.raises(PlanError, match="not for product product"):
        approximate(Both(), Plan(precision="mxint8"), calibrate=torch.randn(2, 3, 4))
    net = approximate(nn.Sequential(nn.Linear(4, 2)), Plan(precision="mxint8"), calibrate=torch.randn(2, 4))
    with pytest.raises(PlanError, match="sums of mxint8 are float32"):
        recover(net, "bias_correction", data=torch.randn(2, 4))
    with pytest.raises(FormatError, match="must be finite"):
        net(torch.full((1, 4), torch.nan))
