"""Where the inputs of layers come from: which division of channels the requantisation of another layer can do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from inexact.nn import ApproxLayer, Plan, approximate, divide_channels, workload

Forward = Callable[[nn.Module, Tensor], Tensor]


class Network(nn.Module):
    """Two convolutions and a linear layer, put together by `steps`."""

    def __init__(self, steps: Forward, between: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 5)
        self.between = nn.ReLU() if between is None else between
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        return self.steps(self, x)


def ended(net: nn.Module, x: Tensor) -> Tensor:
    return net.last(x.mean((2, 3)))  # type: ignore[operator,no-any-return]


def plain(net: nn.Module, x: Tensor) -> Tensor:
    return ended(net, net.second(net.between(net.first(x))))  # type: ignore[operator]


def residual(net: nn.Module, x: Tensor) -> Tensor:
    found = net.between(net.first(x))  # type: ignore[operator]
    return ended(net, net.second(found) + found)  # type: ignore[operator]


def put_out(net: nn.Module, x: Tensor) -> Tensor:
    found = net.first(x)  # type: ignore[operator]
    return ended(net, net.second(found)) + found.flatten(1)[:, :5]  # type: ignore[operator,no-any-return]


def altered(net: nn.Module, x: Tensor) -> Tensor:
    return ended(net, net.second(net.first(x).add_(1)))  # type: ignore[operator]


def seen_by_two(net: nn.Module, x: Tensor) -> Tensor:
    found = net.between(net.first(x))  # type: ignore[operator]
    return ended(net, net.second(found)) + ended(net, found)  # type: ignore[operator]


def twice(net: nn.Module, x: Tensor) -> Tensor:
    found = net.second(net.between(net.first(x)))  # type: ignore[operator]
    return ended(net, net.second(net.between(found)))  # type: ignore[operator]


def flat(net: nn.Module, x: Tensor) -> Tensor:
    return net.last(nn.functional.adaptive_avg_pool2d(net.second(net.first(x)), 1).flatten(1))  # type: ignore[operator,no-any-return]


def positions(net: nn.Module, x: Tensor) -> Tensor:
    """Four values of one channel are four inputs of the linear layer, which divisors may tell apart."""
    return net.last(net.second(net.first(x))[:, :1, :2, :2].flatten(1))  # type: ignore[operator,no-any-return]


def mixed(net: nn.Module, x: Tensor) -> Tensor:
    return ended(net, net.second(net.first(x).transpose(1, 2).reshape(len(x), 4, 8, 8)))  # type: ignore[operator]


def reordered(net: nn.Module, x: Tensor) -> Tensor:
    """A linear layer over columns, whose inputs are no channels."""
    return net.last(net.second(net.first(x))[..., :4].contiguous()).mean((1, 2))  # type: ignore[operator,no-any-return]


CASES: dict[str, tuple[Forward, nn.Module | None, str, str]] = {
    "relu": (plain, nn.ReLU(), "first", "second"),
    "in place": (plain, nn.ReLU(inplace=True), "first", "second"),
    "relu6": (plain, nn.ReLU6(), "first", "second"),
    "pooled": (plain, nn.Sequential(nn.MaxPool2d(2), nn.ReLU(), nn.Dropout(), nn.AvgPool2d(2)), "first", "second"),
    "gelu": (plain, nn.GELU(), "", "second"),
    "clipped below zero": (plain, nn.Hardtanh(-1, 1), "", "second"),
    "leaky": (plain, nn.LeakyReLU(), "", "second"),
    "normalised": (plain, nn.GroupNorm(2, 4), "", "second"),
    "residual": (residual, None, "", ""),
    "put out": (put_out, None, "", "second"),
    "altered": (altered, None, "", "second"),
    "seen by two": (seen_by_two, None, "", ""),
    "twice": (twice, None, "", ""),
    "flat": (flat, None, "first", "second"),
    "positions": (positions, None, "first", ""),
    "mixed": (mixed, None, "", "second"),
    "reordered": (reordered, None, "first", ""),
}


@pytest.mark.parametrize("emulated", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_source_of_an_input(case: str, emulated: bool) -> None:
    steps, between, second, last = CASES[case]
    model: nn.Module = Network(steps, between).eval()
    if emulated:
        model = approximate(model, Plan(precision="int8"), calibrate=torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    found = {layer.name: layer.source for layer in workload(model, (3, 8, 8)).multiplying}
    assert found == {"first": "", "second": second, "last": last}


class Bounded(nn.Module):
    """A ReLU with an upper bound for each channel."""

    def __init__(self, bounds: Tensor) -> None:
        super().__init__()
        self.bounds = bounds

    def forward(self, x: Tensor) -> Tensor:
        return torch.minimum(x.clamp(min=0), self.bounds[:, None, None])


@pytest.mark.parametrize("coding", ["unsigned", "signed"])
def test_what_a_source_divides_by_its_scale_is_the_same_bit_for_bit(coding: str) -> None:
    """Divisors are powers of two, so that floating point rounds alike before and behind them."""
    x = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 4
    divisors = torch.tensor([0.25, 1.0, 8.0, 2.0])
    net = approximate(Network(plain, nn.ReLU6()).eval(), Plan(coding=coding), calibrate=x)
    first, second = net.layers()["first"], net.layers()["second"]
    assert isinstance(first, ApproxLayer)
    assert isinstance(second, ApproxLayer)
    divide_channels(second, divisors)
    with torch.no_grad():
        wanted = net(x)
        second.divisors = None  # the weights stay multiplied
        assert not torch.equal(net(x), wanted)
        first.gain /= divisors
        assert first.bias is not None
        first.bias.div_(divisors)
        net.model.between = Bounded(6 / divisors)
        assert torch.equal(net(x), wanted)
