"""Layers whose tensors lie on another device, as on CUDA: nothing is made on the CPU that meets them, and numbers are the same."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inexact.nn import Plan, Rule, approximate

from .elsewhere import DEVICE, Distant, Elsewhere, moved

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "convolution": (nn.Conv2d(3, 4, 3, padding=1), (2, 3, 7, 7)),
    "depthwise": (nn.Conv2d(6, 6, 3, groups=6, stride=2, padding=1), (2, 6, 7, 7)),
    "linear": (nn.Linear(9, 5), (6, 9)),
    "Conv1d": (nn.Conv1d(3, 4, 3, padding=1), (2, 3, 9)),
    "Conv3d": (nn.Conv3d(2, 3, 3, padding=1), (1, 2, 5, 5, 5)),
    "transposed": (nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1), (2, 3, 6, 6)),
    "LSTM": (nn.LSTM(8, 6, batch_first=True), (2, 5, 8)),
}
RULES = {
    "table": Rule(multiplier="mitchell", coding="unsigned"),
    "skipped padding": Rule(multiplier="mitchell", coding="sign_magnitude", padding="skipped"),
    "small rank": Rule(multiplier="roba", coding="unsigned"),
    "exact": Rule(multiplier="exact"),
    "integer requantisation": Rule(multiplier="mitchell", precision="int(requantisation=integer)", coding="unsigned"),
    "narrow weights": Rule(multiplier="mitchell(width=(8,4))", precision="w4a8", coding="unsigned"),
    "accumulator": Rule(multiplier="mitchell", accumulator="accumulator(adder=loa(low=4),width=24)"),
}
OTHERS = {"logarithmic": Rule(precision="lns8"), "blocks": Rule(precision="mxint8"), "floating point": Rule(precision="e4m3")}


@torch.no_grad()
def check(layer: nn.Module, shape: tuple[int, ...], rule: Rule) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    net = approximate(nn.Sequential(layer), Plan({"default": rule}), calibrate=x)
    wanted = net(x)
    with Elsewhere():  # type: ignore[no-untyped-call]
        found = moved(net)(Distant(x))
    first, expected = (out[0] if isinstance(out, tuple) else out for out in (found, wanted))  # recurrent layers give their state too
    assert isinstance(first, Distant)
    assert torch.equal(first.near, expected)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_convolution_of_every_rule(rule: Rule) -> None:
    check(*LAYERS["convolution"], rule)


@pytest.mark.parametrize("rule", OTHERS.values(), ids=OTHERS)
def test_numbers_that_are_not_integers(rule: Rule) -> None:
    check(*LAYERS["convolution"], rule)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_every_kind(name: str) -> None:
    for rule in (RULES["table"], RULES["small rank"]):
        check(*LAYERS[name], rule)


def test_a_tensor_of_the_cpu_is_noticed() -> None:
    far = Distant(torch.ones(3))
    with Elsewhere():  # type: ignore[no-untyped-call]
        assert (far + torch.ones(3, device=DEVICE)).device == DEVICE
        with pytest.raises(RuntimeError, match=r"aten.add.Tensor got tensors of two devices: \[\[3\]\] lie on the CPU"):
            far + torch.ones(3)
