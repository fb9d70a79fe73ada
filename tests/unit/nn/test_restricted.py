"""Layers of some output channels, and networks that share parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import inexact as ix
from inexact.core.errors import FormatError
from inexact.nn import ApproxModel, restricted, sharing_copy

CHANNELS = torch.tensor([0, 2, 4, 5])


def network(*, groups: int = 1, bias: bool = True, **rule: Any) -> tuple[ApproxModel, Tensor]:
    torch.manual_seed(0)
    x = torch.rand(16, 4, 5, 5)
    plan = ix.Plan(**({"multiplier": "trunc(cut=5)"} | rule))
    labels = torch.zeros(16, dtype=torch.int64)
    net = ix.approximate(nn.Sequential(nn.Conv2d(4, 6, 3, groups=groups, bias=bias)), plan, calibrate=[(x, labels)])
    return ix.recover(net, data=[(x, labels)]), x


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False, "padding": "skipped"},
        {"groups": 2},
        {"recovery": "bias_correction"},
        {"recovery": "shared_column"},
        {"recovery": "control_variate"},
        {"precision": "int(requantisation=integer)"},
        {"precision": "int(granularity=per_tensor)"},
        {"accumulator": "accumulator(adder=loa(low=6),width=20)"},
    ],
)
def test_channels_are_those_of_the_layer(options: dict[str, Any]) -> None:
    net, x = network(**options)
    layer: Any = net.layers()["0"]
    part = restricted(layer, CHANNELS)
    assert torch.equal(part(x), layer(x)[:, CHANNELS])
    part.disturbance = lambda a, b: torch.full((), 5000.0, dtype=torch.float64)  # the path by torch operators
    assert not torch.equal(part(x), layer(x)[:, CHANNELS])
    part.disturbance = lambda a, b: torch.zeros((), dtype=torch.float64)
    assert torch.equal(part(x), layer(x)[:, CHANNELS])
    assert layer.disturbance is None


def test_groups_need_as_many_channels_each() -> None:
    net, _ = network(groups=2)
    layer: Any = net.layers()["0"]
    with pytest.raises(FormatError, match="channels of layer 0 must be as many in each of its 2 groups"):
        restricted(layer, torch.tensor([0, 1, 3]))


def test_copies_share_parameters_and_nothing_else() -> None:
    net, x = network()
    copy = sharing_copy(net)
    first: Any = net.layers()["0"]
    second: Any = copy.layers()["0"]
    assert first is not second
    assert first.weight.data_ptr() == second.weight.data_ptr()
    before = net(x)
    second.restate(second.rule.but(multiplier="exact"))
    assert torch.equal(net(x), before)
    assert not torch.equal(copy(x), before)
