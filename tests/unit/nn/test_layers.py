"""Emulated layers against loops written from the contract: random asymmetric tables, non-zero zero points, every kind of padding."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from inexact import units
from inexact.core.errors import FormatError
from inexact.nn import ApproxConv2d, ApproxLinear, Plan, Rule, approximate

Codes = NDArray[np.int64]


def random_unit(width: tuple[int, int], *, signed: bool, seed: int) -> units.Multiplier:
    rng = np.random.default_rng(seed)
    table = rng.integers(-20000 if signed else 0, 60000, (2 ** width[0], 2 ** width[1]), dtype=np.int32)
    return units.from_table(table, signed=signed, width=width)


def product(unit: units.Multiplier, coding: str, a: int, b: int) -> int:
    """The unit's answer for two code values, sign restored under sign-magnitude."""
    table = unit.table()
    if coding == "sign_magnitude":
        return int(np.sign(b)) * int(table[a, abs(b)])
    return int(table[a % 2 ** unit.width[0], b % 2 ** unit.width[1]])


def emulated(model: nn.Module, plan: Plan, x: torch.Tensor) -> tuple[torch.Tensor, ApproxConv2d | ApproxLinear]:
    net = approximate(model, plan, calibrate=x)
    layer = next(iter(net.layers().values()))
    assert isinstance(layer, (ApproxConv2d, ApproxLinear))
    with torch.no_grad():
        return net(x), layer


def codes_of(layer: ApproxConv2d | ApproxLinear, x: torch.Tensor) -> tuple[Codes, Codes, int, Codes]:
    """(a codes of padded x, b codes, za, zb [O]) from the layer's scales, by the formula of the contract."""
    bits_a, bits_b = layer.rule.format.a_bits, layer.rule.format.b_bits
    signed_a, signed_b = layer.rule.coding == "signed", layer.rule.coding != "unsigned"

    def quantise(values: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor, bits: int, *, signed: bool) -> Codes:
        low, high = (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        codes: Codes = np.clip(np.round((values / scale).numpy()) + zero.numpy(), low, high).astype(np.int64)
        return codes

    a = quantise(layer.padded(x), layer.a_scale, layer.a_zero, bits_a, signed=signed_a)
    b = quantise(layer.weight.detach(), layer.b_scale, layer.b_zero, bits_b, signed=signed_b)
    zb = np.broadcast_to(layer.b_zero.numpy().reshape(-1).astype(np.int64), (b.shape[0],))
    return a, b, int(layer.a_zero), zb


def conv_by_loops(layer: ApproxConv2d, unit: units.Multiplier, x: torch.Tensor) -> torch.Tensor:
    """Three loops and more: sum (a-za)(b-zb) with products through the unit, then scale and bias."""
    a, b, za, zb = codes_of(layer, x)
    inside = np.broadcast_to(layer.inside(torch.Size(a.shape)).numpy(), a.shape) if layer.pads else np.ones(a.shape)
    (sh, sw), (dh, dw) = layer.stride, layer.dilation
    outputs, depth, kh, kw = b.shape
    oh = (a.shape[2] - dh * (kh - 1) - 1) // sh + 1
    ow = (a.shape[3] - dw * (kw - 1) - 1) // sw + 1
    sums = np.zeros((a.shape[0], outputs, oh, ow))
    for n, o, i, j in itertools.product(*map(range, sums.shape)):
        group = o // (outputs // layer.groups)
        for c, u, v in itertools.product(range(depth), range(kh), range(kw)):
            at = (n, group * depth + c, i * sh + u * dh, j * sw + v * dw)
            if layer.rule.padding == "skipped" and not inside[at]:
                continue
            p, w = int(a[at]), int(b[o, c, u, v])
            sums[n, o, i, j] += product(unit, layer.rule.coding, p, w) - za * w - int(zb[o]) * p + za * int(zb[o])
    scale = layer.a_scale.double().numpy() * np.broadcast_to(layer.b_scale.double().numpy().reshape(-1), (outputs,))
    result = (sums * scale.reshape(1, -1, 1, 1)).astype(np.float32)
    if layer.bias is not None:
        result = result + layer.bias.detach().numpy().reshape(1, -1, 1, 1)
    return torch.from_numpy(result.astype(np.float32))


def convolutions() -> Iterator[tuple[str, nn.Conv2d]]:
    yield "plain", nn.Conv2d(3, 4, 3)
    yield "padded", nn.Conv2d(3, 4, 3, padding=1)
    yield "stride", nn.Conv2d(2, 3, 3, stride=2, padding=(2, 1))
    yield "dilation", nn.Conv2d(2, 3, (2, 3), dilation=(2, 1), padding=2, bias=False)
    yield "groups", nn.Conv2d(4, 6, 3, groups=2, padding=1)
    yield "depthwise", nn.Conv2d(4, 4, 3, groups=4, padding=1)
    yield "pointwise", nn.Conv2d(5, 2, 1)
    yield "same", nn.Conv2d(2, 3, (2, 4), padding="same")
    yield "circular", nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular")
    yield "reflect", nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")
    yield "replicate", nn.Conv2d(2, 3, 3, padding=1, padding_mode="replicate")


CODINGS = ["unsigned", "signed", "sign_magnitude"]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(("name", "conv"), list(convolutions()), ids=[name for name, _ in convolutions()])
def test_conv_equals_loops(name: str, conv: nn.Conv2d, coding: str) -> None:
    torch.manual_seed(len(name))
    x = torch.randn(2, conv.in_channels, 7, 6) + 0.5
    unit = random_unit((8, 8), signed=coding == "signed", seed=len(name))
    for padding in ("multiplied", "skipped"):
        rule = Rule(multiplier=unit, coding=coding, padding=padding)
        found, layer = emulated(nn.Sequential(conv), Plan({"0": rule}), x)
        assert isinstance(layer, ApproxConv2d)
        if coding != "signed":
            assert float(layer.a_zero) > 0
        assert torch.equal(found, conv_by_loops(layer, unit, x)), (name, coding, padding)


@pytest.mark.parametrize(("a_bits", "b_bits"), [(8, 4), (4, 4), (5, 7), (4, 8), (2, 3)])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("granularity", ["per_tensor", "per_channel"])
def test_conv_of_other_widths_equals_loops(a_bits: int, b_bits: int, coding: str, granularity: str) -> None:
    torch.manual_seed(a_bits * 10 + b_bits)
    conv = nn.Conv2d(2, 3, 3, padding=1)
    x = torch.randn(2, 2, 5, 5)
    unit = random_unit((a_bits, b_bits), signed=coding == "signed", seed=a_bits)
    rule = Rule(multiplier=unit, precision=f"int(a_bits={a_bits},b_bits={b_bits},granularity={granularity})", coding=coding)
    found, layer = emulated(nn.Sequential(conv), Plan({"0": rule}), x)
    assert isinstance(layer, ApproxConv2d)
    assert torch.equal(found, conv_by_loops(layer, unit, x))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("shape", [(5, 9), (2, 3, 9), (2, 3, 4, 9), (9,)])
def test_linear_equals_loops_at_any_rank(coding: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(3)
    linear = nn.Linear(9, 4)
    x = torch.randn(6, *shape) - 0.3
    unit = random_unit((8, 8), signed=coding == "signed", seed=5)
    found, layer = emulated(nn.Sequential(linear), Plan({"0": Rule(multiplier=unit, coding=coding)}), x)
    a, b, za, zb = codes_of(layer, x)
    rows = a.reshape(-1, 9)
    sums = np.zeros((len(rows), 4))
    for m, o, k in itertools.product(range(len(rows)), range(4), range(9)):
        p, w = int(rows[m, k]), int(b[o, k])
        sums[m, o] += product(unit, coding, p, w) - za * w - int(zb[o]) * p + za * int(zb[o])
    scale = layer.a_scale.double().numpy() * layer.b_scale.double().numpy().reshape(-1)
    expected = (sums * scale).astype(np.float32) + linear.bias.detach().numpy()
    assert torch.equal(found, torch.from_numpy(expected.reshape(*x.shape[:-1], 4)))


@pytest.mark.parametrize("coding", CODINGS)
def test_exact_unit_and_exact_table_agree(coding: str) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, 3, padding=1, stride=2)
    x = torch.randn(3, 6, 9, 9)
    values = np.arange(256) - 256 * (np.arange(256) >= 128) * (coding == "signed")
    table = units.from_table(np.multiply.outer(values, values).astype(np.int32), signed=coding == "signed", width=(8, 8))
    exact, _ = emulated(nn.Sequential(conv), Plan({"0": Rule(coding=coding)}), x)
    by_table, _ = emulated(nn.Sequential(conv), Plan({"0": Rule(multiplier=table, coding=coding)}), x)
    assert torch.equal(exact, by_table)


def test_wide_exact_formats_approach_float32() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, 3, padding=1)
    x = torch.randn(3, 6, 9, 9)
    found, _ = emulated(nn.Sequential(conv), Plan(precision="int16"), x)
    assert float((found - conv(x)).abs().max().detach()) < 1e-3


def test_integer_requantisation_is_within_one_output_step_of_float() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1))
    x = torch.randn(2, 3, 8, 8)
    smooth, _ = emulated(model, Plan(precision="int(granularity=per_tensor)"), x)
    stepped, layer = emulated(model, Plan(precision="int(requantisation=integer)"), x)
    per_channel, _ = emulated(model, Plan(precision="int8"), x)
    step = float(layer.out_scale)
    assert float((stepped - per_channel).abs().max()) <= 0.51 * step + float(layer.a_scale * layer.b_scale.max())
    assert torch.allclose(torch.round(stepped / step), stepped / step, atol=1e-3)
    assert not torch.equal(smooth, stepped)


def test_straight_through_gradient_is_that_of_the_quantised_layer() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1))
    x = torch.randn(2, 3, 6, 6)
    net = approximate(model, Plan(multiplier=random_unit((8, 8), signed=False, seed=1)), calibrate=x)
    x[0, 1, 2, 3], x[1, 2, 3, 4] = 9.0, -9.0
    inputs = x.clone().requires_grad_()
    torch.autograd.backward(net(inputs).sum())
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxConv2d)
    reference = x.clone().requires_grad_()
    weight = layer.weight.detach()
    torch.nn.functional.conv2d(reference, weight, padding=1).sum().backward()  # type: ignore[no-untyped-call]
    assert inputs.grad is not None
    assert reference.grad is not None
    code = torch.round(x / layer.a_scale) + layer.a_zero
    inside = (code >= 0) & (code <= 255)  # an input that rounds to the last code is not clipped
    assert int((~inside).sum()) == 2
    assert bool((inputs.grad[~inside] == 0).all())
    # each of the 4 x 9 quantised weights an input meets is off by at most half a step
    assert float((inputs.grad - reference.grad)[inside].abs().max()) <= float(layer.b_scale.max()) * 18 + 1e-5
    assert layer.weight.grad is not None


def test_results_do_not_depend_on_the_batch_split() -> None:
    torch.manual_seed(0)
    x = torch.randn(7, 3, 8, 8)
    net = approximate(nn.Sequential(nn.Conv2d(3, 4, 3)), Plan(multiplier=random_unit((8, 8), signed=False, seed=2)), calibrate=x)
    with torch.no_grad():
        assert torch.equal(net(x), torch.cat([net(x[:3]), net(x[3:])]))


def test_nan_activations_name_the_layer() -> None:
    x = torch.randn(2, 3, 6, 6)
    net = approximate(nn.Sequential(nn.Conv2d(3, 4, 3)), Plan(multiplier="exact"), calibrate=x)
    x[0, 0, 0, 0] = float("nan")
    with pytest.raises(FormatError, match="activations entering layer 0 must be finite; NaN or infinity came"):
        net(x)


def test_wrong_rank_is_refused() -> None:
    x = torch.randn(2, 3, 6, 6)
    net = approximate(nn.Sequential(nn.Conv2d(3, 4, 3)), Plan(multiplier="exact"), calibrate=x)
    with pytest.raises(FormatError, match=r"input of layer 0 must be \[N, C, H, W\], not of shape \[3, 6, 6\]"):
        net(x[0])
