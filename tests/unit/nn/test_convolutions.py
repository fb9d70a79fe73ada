"""Conv1d, Conv3d and ConvTranspose2d against loops written from the contract, products through random asymmetric tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from inexact import units
from inexact.core.errors import FormatError
from inexact.nn import ApproxConvTranspose2d, ApproxLayer, Plan, Rule, approximate, workload
from inexact.recovery import recover

CODINGS = ["unsigned", "signed", "sign_magnitude"]
Codes = NDArray[np.int64]


def random_unit(coding: str, seed: int) -> units.Multiplier:
    signed = coding == "signed"
    table = np.random.default_rng(seed).integers(-20000 if signed else 0, 60000, (256, 256), dtype=np.int32)
    return units.from_table(table, signed=signed)


def codes_of(layer: ApproxLayer, a: Tensor, b: Tensor) -> tuple[Codes, Codes, int, Codes]:
    def quantise(values: Tensor, scale: Tensor, zero: Tensor, *, signed: bool) -> Codes:
        low, high = (-127, 127) if signed else (0, 255)
        found: Codes = np.clip(np.round((values / scale).numpy()) + zero.numpy(), low, high).astype(np.int64)
        return found

    left = quantise(a, layer.a_scale, layer.a_zero, signed=layer.rule.coding == "signed")
    right = quantise(b, layer.b_scale, layer.b_zero, signed=layer.rule.coding != "unsigned")
    zb = np.broadcast_to(layer.b_zero.numpy().reshape(-1).astype(np.int64), (b.shape[0],))
    return left, right, int(layer.a_zero), zb


def swapped(weight: Tensor, groups: int) -> Tensor:
    return weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)


def through(unit: units.Multiplier, coding: str, p: int, w: int) -> int:
    table = unit.table()
    return int(np.sign(w)) * int(table[p, abs(w)]) if coding == "sign_magnitude" else int(table[p % 256, w % 256])


def finished(layer: ApproxLayer, sums: NDArray[np.float64]) -> Tensor:
    outputs = sums.shape[1]
    shape = (1, -1, *[1] * (sums.ndim - 2))
    scale = layer.a_scale.double().numpy() * np.broadcast_to(layer.b_scale.double().numpy().reshape(-1), (outputs,))
    result = torch.from_numpy((sums * scale.reshape(shape)).astype(np.float32))
    return result if layer.bias is None else result + layer.bias.detach().reshape(shape)


def conv_by_loops(layer: ApproxLayer, source: Any, unit: units.Multiplier, x: Tensor) -> Tensor:
    """Any number of dimensions; the padding is written out here, from the original module's own tuple."""
    sides = source._reversed_padding_repeated_twice
    mode = "constant" if source.padding_mode == "zeros" else source.padding_mode
    a, b, za, zb = codes_of(layer, F.pad(x, sides, mode=mode), source.weight.detach())
    real = (
        np.broadcast_to(F.pad(torch.ones_like(x[:1, :1]), sides).numpy(), a.shape) if source.padding_mode == "zeros" else np.ones(a.shape)
    )
    kernel = b.shape[2:]
    size = [(a.shape[2 + i] - source.dilation[i] * (k - 1) - 1) // source.stride[i] + 1 for i, k in enumerate(kernel)]
    sums = np.zeros((a.shape[0], b.shape[0], *size))
    for index in itertools.product(*map(range, sums.shape)):
        n, o, *at = index
        group = o // (b.shape[0] // source.groups)
        for c, *tap in itertools.product(range(b.shape[1]), *map(range, kernel)):
            place = (n, group * b.shape[1] + c, *(at[i] * source.stride[i] + tap[i] * source.dilation[i] for i in range(len(kernel))))
            if layer.rule.padding == "skipped" and not real[place]:
                continue
            p, w = int(a[place]), int(b[(o, c, *tap)])
            sums[index] += through(unit, layer.rule.coding, p, w) - za * w - int(zb[o]) * p + za * int(zb[o])
    return finished(layer, sums)


def transposed_by_loops(layer: ApproxLayer, source: nn.ConvTranspose2d, unit: units.Multiplier, x: Tensor) -> Tensor:
    """Scatter: every real pixel times every tap, added where torch's definition puts it."""
    outputs_first = swapped(source.weight.detach(), source.groups)
    a, b, za, zb = codes_of(layer, x, outputs_first)
    with torch.no_grad():
        sums = np.zeros(source(x).shape)
    for n, o, c, i, j, u, v in itertools.product(*map(range, (len(a), b.shape[0], b.shape[1], *a.shape[2:], *b.shape[2:]))):
        y = i * source.stride[0] + u * source.dilation[0] - int(source.padding[0])
        z = j * source.stride[1] + v * source.dilation[1] - int(source.padding[1])
        if not (0 <= y < sums.shape[2] and 0 <= z < sums.shape[3]):
            continue
        p, w = int(a[n, o // (b.shape[0] // source.groups) * b.shape[1] + c, i, j]), int(b[o, c, u, v])
        sums[n, o, y, z] += through(unit, layer.rule.coding, p, w) - za * w - int(zb[o]) * p + za * int(zb[o])
    return finished(layer, sums)


def cases() -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    yield "1d", nn.Conv1d(3, 4, 3), (7,)
    yield "1d all", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False), (9,)
    yield "1d same", nn.Conv1d(2, 3, 4, padding="same", dilation=2), (9,)
    yield "1d circular", nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular"), (6,)
    yield "1d depthwise", nn.Conv1d(3, 3, 5, padding=2, groups=3), (6,)
    yield "3d", nn.Conv3d(2, 3, 2), (3, 4, 3)
    yield "3d all", nn.Conv3d(4, 4, (2, 3, 2), stride=(2, 1, 2), padding=(1, 1, 0), dilation=(2, 1, 2), groups=2), (5, 3, 5)
    yield "3d same", nn.Conv3d(1, 2, (3, 2, 1), padding="same", bias=False), (3, 3, 2)
    yield "3d replicate", nn.Conv3d(1, 2, 3, padding=(1, 0, 1), padding_mode="replicate"), (2, 3, 3)
    yield "transposed", nn.ConvTranspose2d(3, 2, 3), (3, 4)
    yield "transposed stride", nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), (3, 2)
    yield "transposed gaps", nn.ConvTranspose2d(2, 2, 2, stride=3, bias=False), (2, 3)
    yield "transposed all", nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (2, 1), (1, 0), groups=2, dilation=(2, 1)), (3, 3)


def emulated(source: nn.Module, plan: Plan | str, x: Tensor) -> tuple[Tensor, ApproxLayer]:
    net = approximate(nn.Sequential(source), plan, calibrate=x)
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    with torch.no_grad():
        return net(x), layer


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(("name", "source", "size"), list(cases()), ids=[name for name, *_ in cases()])
def test_layer_equals_loops(name: str, source: Any, size: tuple[int, ...], coding: str) -> None:
    torch.manual_seed(len(name))
    x = torch.randn(2, source.in_channels, *size) + 0.5
    unit = random_unit(coding, len(name))
    by_loops: Any = transposed_by_loops if isinstance(source, nn.ConvTranspose2d) else conv_by_loops
    for padding in ("multiplied", "skipped"):
        found, layer = emulated(source, Plan({"0": Rule(multiplier=unit, coding=coding, padding=padding)}), x)
        if coding != "signed":
            assert float(layer.a_zero) > 0
        assert torch.equal(found, by_loops(layer, source, unit, x)), padding


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(("name", "source", "size"), list(cases()), ids=[name for name, *_ in cases()])
def test_exact_layer_is_torchs_on_quantised_operands(name: str, source: Any, size: tuple[int, ...], coding: str) -> None:
    torch.manual_seed(len(name))
    x = torch.randn(2, source.in_channels, *size)
    found, layer = emulated(source, Plan({"0": Rule(coding=coding)}), x)
    reference = type(source)(**_options(source)).double()
    first = source.weight.detach()
    if isinstance(layer, ApproxConvTranspose2d):
        first = swapped(first, source.groups)
    a, b, za, zb = codes_of(layer, x, first)
    real = torch.from_numpy(b - zb.reshape(-1, *[1] * (b.ndim - 1))).double() * layer.b_scale.double()
    if isinstance(layer, ApproxConvTranspose2d):
        real = swapped(real, source.groups)
    with torch.no_grad():
        reference.weight.copy_(real)
        if source.bias is not None:
            reference.bias.copy_(source.bias)
        expected = reference(torch.from_numpy(a - za).double() * layer.a_scale.double())
    assert torch.allclose(found.double(), expected, rtol=1e-6, atol=1e-6)


def _options(source: Any) -> dict[str, Any]:
    names = ["in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"]
    names += ["output_padding"] if isinstance(source, nn.ConvTranspose2d) else []
    return {name: getattr(source, name) for name in names} | {"bias": source.bias is not None}


@pytest.mark.parametrize(("name", "source", "size"), [case for case in cases() if case[0] in ("1d all", "3d", "transposed all")])
def test_gradients_state_and_recovery(name: str, source: Any, size: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    x = torch.rand(6, source.in_channels, *size)
    model = nn.Sequential(source)
    plan = Plan(multiplier="trunc(cut=8)", recovery="shared_column")
    net = approximate(model, plan, calibrate=1.1 * x)
    repaired = recover(net, data=x)
    with torch.no_grad():
        exact = model(x)
        errors = [float((emulation(x) - exact).square().mean()) for emulation in (net, repaired)]
    assert errors[1] < 0.3 * errors[0]
    fresh = approximate(model, plan)
    fresh.load_state_dict(repaired.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh(x), repaired(x))
    given, plain = (x.clone().requires_grad_() for _ in range(2))
    torch.autograd.backward(net(given).sum())
    torch.autograd.backward(model(plain).sum())
    assert given.grad is not None
    assert plain.grad is not None
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    assert float((given.grad - plain.grad).abs().max()) <= float(layer.b_scale.max()) * 0.51 * source.weight[0].numel() * 2
    assert layer.weight.grad is not None
    assert float(layer.weight.grad.abs().max()) > 0


@pytest.mark.parametrize(
    ("conv", "norm", "size"),
    [
        (nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), (8,)),
        (nn.Conv3d(2, 4, 2), nn.BatchNorm3d(4), (4, 4, 4)),
        (nn.ConvTranspose2d(4, 4, 3, stride=2, groups=2), nn.BatchNorm2d(4), (5, 5)),
        (nn.ConvTranspose2d(4, 4, 3, bias=False), nn.BatchNorm2d(4), (5, 5)),
    ],
)
def test_batch_norm_after_every_kind_is_folded(conv: Any, norm: Any, size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(conv, norm).train()
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
        for _ in range(20):
            model(torch.randn(8, conv.in_channels, *size) + 1)
        model.eval()
        x = torch.randn(4, conv.in_channels, *size)
        net = approximate(model, Plan(precision="int16"), calibrate=x)
        assert net.unfolded == []
        assert float((net(x) - model(x)).abs().max()) < 2e-3


def test_workload_counts_every_product() -> None:
    model = nn.Sequential(nn.Conv3d(2, 4, (2, 3, 3)), nn.Flatten(2), nn.Conv1d(4, 6, 5, groups=2), nn.Unflatten(2, (4, 11)))
    model.append(nn.ConvTranspose2d(6, 2, (3, 2), stride=2))
    layers = {layer.name: layer for layer in workload(model, (2, 4, 6, 6)).layers}
    assert layers["0"].macs == 4 * 3 * 4 * 4 * 2 * 2 * 9
    assert layers["2"].macs == 44 * 6 * 2 * 5
    assert layers["4"].macs == 44 * 6 * 2 * 6
    net = approximate(model, "drum(k=4)", calibrate=torch.randn(2, 2, 4, 6, 6))
    planned = workload(net).layers
    assert [(layer.name, layer.macs) for layer in planned] == [(name, layer.macs) for name, layer in layers.items()]
    assert {layer.arithmetic.multiplier for layer in planned} == {"drum(k=4)"}


@pytest.mark.parametrize(
    ("source", "x", "axes"),
    [
        (nn.Conv1d(2, 3, 3), torch.randn(2, 2, 9), r"\[N, C, L\]"),
        (nn.Conv3d(2, 3, 2), torch.randn(2, 2, 4, 4, 4), r"\[N, C, D, H, W\]"),
        (nn.ConvTranspose2d(2, 3, 2), torch.randn(2, 2, 4, 4), r"\[N, C, H, W\]"),
    ],
)
def test_an_input_without_batch_is_refused(source: nn.Module, x: Tensor, axes: str) -> None:
    net = approximate(nn.Sequential(source), "exact", calibrate=x)
    with pytest.raises(FormatError, match=rf"input of layer 0 must be {axes}, not of shape"):
        net(x[0])
