"""Gradients of emulated layers: against loops over products, against finite differences of a smooth table, and against straight-through."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import inexact as ix
from inexact import kernels, units
from inexact.core.errors import FormatError, SpecError, UnknownNameError
from inexact.nn import ApproxConv2d, ApproxLinear, Correction, Plan, Rule, approximate
from inexact.nn.gradients import _attach, gradients
from inexact.nn.gradients._slopes import Slopes, error_slopes
from inexact.nn.gradients.smoothed_difference import SmoothedDifference

SPECS = ("smoothed_difference(half_window=3)", "linear_fit", "low_rank(half_window=2)")
CODINGS = ("unsigned", "signed", "sign_magnitude")
Floats = NDArray[np.float64]


def noisy_unit(*, signed: bool, seed: int, rank_one: bool, width: tuple[int, int] = (8, 8)) -> units.Multiplier:
    """An asymmetric table near the product: with an error of full rank, or one of rank one."""
    rng = np.random.default_rng(seed)
    a = np.arange(2 ** width[0]) - (2 ** width[0] * (np.arange(2 ** width[0]) >= 2 ** (width[0] - 1)) if signed else 0)
    b = np.arange(2 ** width[1]) - (2 ** width[1] * (np.arange(2 ** width[1]) >= 2 ** (width[1] - 1)) if signed else 0)
    error = np.outer(rng.integers(-20, 20, len(a)), rng.integers(-9, 12, len(b))) if rank_one else rng.integers(-900, 700, (len(a), len(b)))
    return units.from_table((np.outer(a, b) + error).astype(np.int32), signed=signed, width=width)


def layer_of(net: nn.Module) -> ApproxConv2d | ApproxLinear:
    return next(m for m in net.modules() if isinstance(m, (ApproxConv2d, ApproxLinear)))


def gradients_of(layer: ApproxConv2d | ApproxLinear, x: torch.Tensor, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    layer.zero_grad()
    layer(x).backward(g)
    assert x.grad is not None
    assert layer.weight.grad is not None
    return x.grad, layer.weight.grad


def by_loops(layer: ApproxConv2d, x: torch.Tensor, g: torch.Tensor) -> tuple[Floats, Floats]:
    """d sum(g * out) for x and weight: every product of every window, by the slopes of its unit, in float64."""
    rule = layer.rule
    slopes = error_slopes(rule.gradient, rule.unit.spec, rule.coding, rule.format.b_bits, layer.column.numpy().tobytes())
    a = layer.a_quantiser().quantise(layer.padded(x)).numpy().astype(int)
    b = layer.b_quantiser().quantise(layer.weight.detach()).numpy().astype(int)
    za, zb = int(layer.a_zero), np.broadcast_to(layer.b_zero.numpy().reshape(-1), b.shape[0])
    sa, sb = float(layer.a_scale), np.broadcast_to(layer.b_scale.double().numpy().reshape(-1), b.shape[0])
    inside = np.broadcast_to(layer.inside(torch.Size(a.shape)).numpy(), a.shape) if layer.pads else np.ones(a.shape)
    by_x: Floats = np.zeros(a.shape)
    by_w: Floats = np.zeros(b.shape)
    arrived = g.double().numpy() * layer.gain.numpy().reshape(1, -1, 1, 1)
    outputs, depth, kh, kw = b.shape
    for n, o, i, j in itertools.product(*map(range, g.shape)):
        for c, u, v in itertools.product(range(depth), range(kh), range(kw)):
            group = o // (outputs // layer.groups)
            at = (n, group * depth + c, i * layer.stride[0] + u * layer.dilation[0], j * layer.stride[1] + v * layer.dilation[1])
            if rule.padding == "skipped" and not inside[at]:
                continue
            p, w = a[at], b[o, c, u, v]
            mask_a, mask_b = 2**rule.format.a_bits - 1, 2**rule.format.b_bits - 1
            by_x[at] += arrived[n, o, i, j] * sb[o] * (w - zb[o] + float(slopes.a.table[p & mask_a, w & mask_b]))
            by_w[o, c, u, v] += arrived[n, o, i, j] * sa * (p - za + float(slopes.b.table[p & mask_a, w & mask_b]))
    left, right, top, bottom = layer.padding
    return by_x[:, :, top : by_x.shape[2] - bottom, left : by_x.shape[3] - right], by_w


CONVOLUTIONS = {
    "padded": nn.Conv2d(3, 4, 3, padding=1),
    "stride": nn.Conv2d(2, 3, 3, stride=2, padding=(2, 1)),
    "dilation": nn.Conv2d(2, 3, (2, 3), dilation=(2, 1), padding=2, bias=False),
    "groups": nn.Conv2d(4, 6, 3, groups=2, padding=1),
    "depthwise": nn.Conv2d(4, 4, 3, groups=4),
}


@pytest.mark.parametrize("rank_one", [True, False], ids=["factors", "tables"])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv_gradients_equal_loops(name: str, coding: str, rank_one: bool) -> None:
    torch.manual_seed(len(name))
    x = torch.rand(2, CONVOLUTIONS[name].in_channels, 6, 5) + torch.randn(2, 1, 6, 5).clamp(-0.4, 0.4)
    unit = noisy_unit(signed=coding == "signed", seed=len(name), rank_one=rank_one)
    rule = Rule(multiplier=unit, coding=coding, padding="skipped" if name == "stride" else "multiplied", gradient=SPECS[0])
    layer = layer_of(approximate(nn.Sequential(CONVOLUTIONS[name]), Plan({"0": rule}), calibrate=1.1 * x))  # nothing is clipped
    assert isinstance(layer, ApproxConv2d)
    channels = layer.weight.shape[0]
    column = torch.arange(256, dtype=torch.int32) % 7 * 3
    layer.correct(Correction(bias=torch.arange(channels), gain=torch.linspace(0.8, 1.3, channels, dtype=torch.float64), column=column))
    g = torch.randn(layer(x).shape)
    found = gradients_of(layer, x, g)
    wanted = by_loops(layer, x, g)
    for mine, loops in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine.numpy(), loops, rtol=2e-4, atol=2e-4 * np.abs(loops).max())
    if layer.bias is not None and layer.bias.grad is not None:
        torch.testing.assert_close(layer.bias.grad, g.sum((0, 2, 3)))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("spec", [*SPECS[1:], "smoothed_difference(half_window=3,borders=nearest)", "straight_through"])
def test_the_exact_table_gives_the_straight_through_gradient_to_the_last_bit(spec: str, coding: str) -> None:
    torch.manual_seed(1)
    conv, x = nn.Conv2d(2, 3, 3, padding=1), torch.randn(2, 2, 6, 5)
    values = np.arange(256) - (256 * (np.arange(256) > 127) if coding == "signed" else 0)
    unit = units.from_table(np.outer(values, values).astype(np.int32), signed=coding == "signed")
    g = torch.randn(2, 3, 6, 5)
    found = []
    for gradient in (spec, "straight_through"):
        plan = Plan({"0": Rule(multiplier=unit, coding=coding, gradient=gradient)})
        found.append(gradients_of(layer_of(approximate(nn.Sequential(conv), plan, calibrate=x)), x, g))
    for mine, reference in zip(*found, strict=True):
        assert torch.equal(mine, reference)


def test_a_smooth_table_is_differentiated_as_finite_differences_do() -> None:
    """U(a, b) = a b + 3 a - 2 b + 5 and U = a**2 b / 256: slopes known in closed form."""
    a, b = np.arange(256.0), np.arange(16.0)
    bilinear = np.add.outer(3 * a, -2 * b) + np.outer(a, b) + 5
    for spec in (*SPECS[:2], "low_rank(rank=2,half_window=2)", "smoothed_difference(half_window=0)"):
        inside = gradients.get(spec).slope(bilinear, a, b)[5:-5]
        np.testing.assert_allclose(inside, np.broadcast_to(b + 3, inside.shape), rtol=1e-9)
    quadratic = np.outer(a**2, b) / 256
    central = (quadratic[2:] - quadratic[:-2]) / 2
    found = SmoothedDifference(half_window=4).slope(quadratic, a, b)[5:-5]
    np.testing.assert_allclose(found, central[4:-4], rtol=1e-9, atol=1e-9)  # a moving average keeps the slope of a parabola
    centre = a.mean()
    np.testing.assert_allclose(gradients.get("linear_fit").slope(quadratic, a, b), np.outer(np.ones(256), 2 * centre * b / 256), rtol=1e-9)


def test_smoothed_difference_follows_the_published_formula() -> None:
    table = np.random.default_rng(5).integers(0, 999, (16, 8)).astype(np.float64)
    table[-1] = 2000  # rises from end to end
    h, n = 2, 16
    found = SmoothedDifference(half_window=h).slope(table, np.arange(16.0), np.arange(8.0))
    mean = {x: table[x - h : x + h + 1].mean(0) for x in range(h, n - h)}
    for x in range(n):
        if h < x < n - 1 - h:
            np.testing.assert_allclose(found[x], (mean[x + 1] - mean[x - 1]) / 2)
        else:
            np.testing.assert_allclose(found[x], (table.max(0) - table.min(0)) / n)


def test_borders_fall_where_a_negative_weight_makes_the_products_fall() -> None:
    values = np.arange(-127.0, 128.0)
    slope = SmoothedDifference(half_window=3).slope(np.outer(values, values), values, values)
    np.testing.assert_array_equal(np.sign(slope[0]), np.sign(values))
    np.testing.assert_allclose(slope[0], values * 254 / 255)


@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 1, 1), (33, 2, 1030), (9, 2, 8195)])
def test_slope_gemm_equals_loops_and_passes_opcheck(shape: tuple[int, int, int]) -> None:
    n, k, m = shape
    rng = np.random.default_rng(m)
    a, b = (torch.from_numpy(rng.integers(0, high, size, dtype=np.uint8)) for high, size in ((256, (m, k)), (16, (n, k))))
    g = torch.from_numpy(rng.standard_normal((m, n)).astype(np.float32))
    along = [torch.from_numpy(rng.standard_normal((256, 16)).astype(np.float32)) for _ in range(2)]
    rows, columns = a.long()[:, None], b.long()[None]
    wanted = (along[0].double()[rows, columns] * g.double()[..., None]).sum(1), (along[1].double()[rows, columns] * g[..., None]).sum(0)
    for found in (kernels.slope_gemm(a, b, g, *along), kernels._slopes._gathered(a, b, g, *along)):
        for mine, reference in zip(found, wanted, strict=True):
            torch.testing.assert_close(mine.double(), reference, rtol=1e-5, atol=1e-4)
    torch.library.opcheck(torch.ops.inexact.slope_gemm, (a, b, g, *along))


def test_slope_gemm_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    a, b = (torch.randint(0, 256, size, dtype=torch.uint8) for size in ((1500, 27), (33, 27)))
    g, along_a, along_b = torch.randn(1500, 33), torch.randn(256, 256), torch.randn(256, 256)
    found = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("INEXACT_THREADS", threads)
        found.append(kernels.slope_gemm(a, b, g, along_a, along_b))
    for other in found[1:]:
        assert torch.equal(found[0][0], other[0])
        assert torch.equal(found[0][1], other[1])


OTHERS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Conv1d(4, 6, 3, stride=2, padding=2, groups=2), (2, 4, 9)),
    (nn.Conv3d(2, 3, (2, 3, 2), padding=1, stride=(2, 1, 1)), (2, 2, 5, 4, 4)),
    (nn.ConvTranspose2d(4, 6, (3, 2), stride=2, padding=1, output_padding=1, groups=2), (2, 4, 4, 3)),
]


@pytest.mark.parametrize(("source", "shape"), OTHERS, ids=[type(m).__name__ for m, _ in OTHERS])
def test_other_layers_by_factors_by_tables_and_by_autograd(
    source: nn.Module, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """E = 3 a + 2 b has slopes 3 and 2: the input sees the float layer with weights 3 codes higher, whichever way it is computed."""
    torch.manual_seed(6)
    x = torch.randn(shape)
    a, b = np.indices((256, 256))
    plan = Plan(multiplier=units.from_table((a * b + 3 * a + 2 * b).astype(np.int32), signed=False), gradient="linear_fit")
    layer: Any = next(iter(approximate(nn.Sequential(source), plan, calibrate=1.1 * x).layers().values()))
    g = torch.randn(layer(x).shape)
    by_x, by_weight = gradients_of(layer, x, g)
    inputs = layer.a_quantiser().dequantise(layer.a_quantiser().quantise(x)).requires_grad_()
    weight = layer.b_quantiser().dequantise(layer.b_quantiser().quantise(layer.weight.detach())).requires_grad_()
    up = layer.float_layer(inputs, weight.detach() + 3 * layer.b_scale)
    np.testing.assert_allclose(by_x, torch.autograd.grad(up, inputs, g)[0], rtol=1e-3, atol=1e-4)
    slopes = error_slopes("linear_fit", layer.rule.unit.spec, "unsigned", 8, layer.column.numpy().tobytes())
    looked_up = Slopes(*(dataclasses.replace(s, rank=99) for s in (slopes.a, slopes.b)))
    monkeypatch.setattr(_attach, "error_slopes", lambda *_: looked_up)
    for mine, other in zip(gradients_of(layer, x, g), (by_x, by_weight), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)


def test_linear_of_any_rank_and_a_first_layer_without_input_gradient() -> None:
    torch.manual_seed(3)
    x = torch.randn(2, 5, 6)
    unit = noisy_unit(signed=False, seed=2, rank_one=False)
    net = approximate(nn.Sequential(nn.Linear(6, 4)), Plan(multiplier=unit, gradient="smoothed_difference"), calibrate=x)
    net(x).sum().backward()
    layer = layer_of(net)
    assert layer.weight.grad is not None
    weights = layer.weight.grad.clone()
    _, again = gradients_of(layer, x, torch.ones(2, 5, 4))
    assert torch.equal(weights, again)


def test_clipped_inputs_get_no_gradient() -> None:
    torch.manual_seed(4)
    x = torch.rand(4, 6)
    net = approximate(nn.Sequential(nn.Linear(6, 3)), Plan(multiplier="mitchell", gradient="linear_fit"), calibrate=x)
    beyond = torch.full((1, 6), 0.5)
    beyond[0, 2] = 99.0
    by_x, _ = gradients_of(layer_of(net), beyond, torch.ones(1, 3))
    assert by_x[0, 2] == 0
    assert (by_x[0, [0, 1, 3, 4, 5]] != 0).all()


def test_plans_carry_the_gradient_and_refuse_what_does_not_fit() -> None:
    plan = Plan(multiplier="mitchell", gradient="smoothed_difference(half_window=4)")
    assert Plan.from_toml(plan.to_toml()) == plan
    assert "smoothed_difference(half_window=4)" in plan.to_toml()
    assert Rule(gradient="straight_through") == Rule()
    with pytest.raises(UnknownNameError, match="no gradient is called 'linear_fitt'; did you mean 'linear_fit'"):
        Rule(gradient="linear_fitt")
    with pytest.raises(SpecError, match=r"half_window must be 0..\(values-3\)//2 for an operand of 16 values \(0..6\), not 16"):
        Rule(multiplier="trunc(cut=2,width=4)", precision="int4", gradient="smoothed_difference")
    with pytest.raises(SpecError, match="borders must be one of range, nearest, not 'zero'"):
        SmoothedDifference(borders="zero")
    with pytest.raises(FormatError, match=r"a \[M, K\], b \[N, K\] and g \[M, N\] must agree"):
        kernels.slope_gemm(torch.zeros(2, 3, dtype=torch.uint8), torch.zeros(2, 2, dtype=torch.uint8), *[torch.zeros(2, 2)] * 3)


@pytest.mark.parametrize("name", list(gradients))
def test_every_gradient_keeps_its_spec_and_the_forward_pass(name: str) -> None:
    method = gradients.get(name)
    assert gradients.get(method.spec) == method
    x = torch.rand(3, 2, 6, 6)
    conv = nn.Conv2d(2, 3, 3)
    plain = approximate(nn.Sequential(conv), Plan(multiplier="mitchell"), calibrate=x)
    taught = approximate(nn.Sequential(conv), Plan(multiplier="mitchell", gradient=name), calibrate=x)
    with torch.no_grad():
        expected = plain(x)
    assert torch.equal(taught(x), expected)


@pytest.mark.slow
@pytest.mark.parametrize("spec", list(gradients))
def test_fine_tuning_wins_back_most_of_what_a_biased_unit_loses(spec: str) -> None:
    """LeNet-5 with the lowest 8 columns cut loses more than 50 points; 64 steps on each gradient leave less than 15 of them."""
    model = ix.zoo.network("lenet5")
    tuning = ix.zoo.data("fashion-mnist", split="validation", limit=2048)
    images = ix.zoo.data("fashion-mnist", limit=2000)
    reference = ix.evaluate(model, images)
    net = ix.approximate(model, Plan(multiplier="trunc(cut=8)", gradient=spec), calibrate=tuning)
    lost = ix.evaluate(net, images, reference=reference).drop
    assert lost is not None
    assert lost > 50
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for chosen in torch.split(torch.randperm(4096, generator=torch.Generator().manual_seed(0)) % 2048, 64):
        optimiser.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(net(tuning.images[chosen]), tuning.labels[chosen]))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
    left = ix.evaluate(net, images, reference=reference).drop
    assert left is not None
    assert left < 15
