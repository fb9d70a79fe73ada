"""The straight-through gradient is that of the float32 layer of the quantised operands, for every kind of layer and padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inexact import units
from inexact.nn import Plan, Rule, approximate
from inexact.nn._layer import ApproxLayer
from inexact.nn._pass_through import pass_through

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "plain": (nn.Conv2d(3, 4, 3), (2, 3, 9, 8)),
    "stride": (nn.Conv2d(2, 3, 3, stride=2, padding=(2, 1)), (2, 2, 9, 8)),
    "dilation without bias": (nn.Conv2d(2, 3, (2, 3), dilation=(2, 1), padding=2, bias=False), (2, 2, 9, 8)),
    "groups": (nn.Conv2d(4, 6, 3, groups=2, padding=1), (2, 4, 9, 8)),
    "same": (nn.Conv2d(2, 3, (2, 4), padding="same"), (2, 2, 9, 8)),
    "reflect": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), (2, 2, 9, 8)),
    "linear": (nn.Linear(9, 5), (4, 3, 9)),
    "linear without bias": (nn.Linear(9, 5, bias=False), (7, 9)),
    "one dimension": (nn.Conv1d(3, 4, 3, padding=1), (2, 3, 9)),
    "transposed": (nn.ConvTranspose2d(3, 4, 3, stride=2), (2, 3, 5, 4)),
}


def emulated(name: str) -> tuple[ApproxLayer, Tensor]:
    torch.manual_seed(0)
    source, shape = LAYERS[name]
    x = torch.randn(shape)
    unit = units.from_table(np.random.default_rng(0).integers(0, 60000, (256, 256), dtype=np.int32), signed=False)
    net = approximate(nn.Sequential(source), Plan({"0": Rule(multiplier=unit)}), calibrate=0.7 * x)
    layer = next(iter(net.layers().values()))
    assert isinstance(layer, ApproxLayer)
    return layer, x


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_the_quantised_float_layer(name: str) -> None:
    layer, x = emulated(name)
    leaf, twin = x.clone().requires_grad_(), x.clone().requires_grad_()
    out = layer(leaf)
    arriving = torch.randn(out.shape)
    sources = list(layer.parameters())
    found = torch.autograd.grad(out, [leaf, *sources], arriving)
    smooth = layer.float_layer(pass_through(twin, layer.a_quantiser()), pass_through(layer.weight, layer.b_quantiser()))
    wanted = torch.autograd.grad(smooth, [twin, *sources], arriving)
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert 0 < int((found[0] == 0).sum()) < x.numel()  # some values lie beyond the calibrated range
    with torch.no_grad():
        assert torch.equal(out, layer(x))


@pytest.mark.parametrize("name", ["stride", "linear"])
def test_frozen_parameters_and_inputs_get_no_gradient(name: str) -> None:
    layer, x = emulated(name)
    layer.weight.requires_grad_(False)
    leaf = x.clone().requires_grad_()
    layer(leaf).sum().backward()
    assert leaf.grad is not None
    assert layer.weight.grad is None
    layer.weight.requires_grad_(True)
    layer(x).sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize("name", ["stride", "linear", "transposed"])
def test_gradients_can_be_differentiated(name: str) -> None:
    layer, x = emulated(name)
    leaf, twin = x.clone().requires_grad_(), x.clone().requires_grad_()
    seconds: list[Tensor] = []
    for out in (layer(leaf), layer.float_layer(pass_through(twin, layer.a_quantiser()), pass_through(layer.weight, layer.b_quantiser()))):
        arriving = torch.linspace(-1, 1, out.numel()).reshape(out.shape)
        (first,) = torch.autograd.grad(out, layer.weight, arriving, create_graph=True)
        source = leaf if not seconds else twin
        seconds.append(torch.autograd.grad(first.square().sum(), source)[0])
    assert torch.allclose(seconds[0], seconds[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("gradient", ["straight_through", "linear_fit"])
def test_what_follows_may_write_into_the_output(gradient: str) -> None:
    outputs: list[Tensor] = []
    for inplace in (False, True):
        torch.manual_seed(0)
        source = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=inplace), nn.Flatten(), nn.Linear(144, 3), nn.ReLU(inplace)
        )
        x = torch.randn(5, 3, 8, 8)
        net = approximate(source, Plan(multiplier="drum(k=4)", gradient=gradient), calibrate=x)
        result = net(x)
        outputs += [result, *torch.autograd.grad(result.square().sum(), list(net.parameters()))]
    plain, written = outputs[: len(outputs) // 2], outputs[len(outputs) // 2 :]
    assert plain[0].any()
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(written, plain, strict=True))
