"""Layers on hardware that does not work: sums that something is added to, codes that no value has."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from inexact.nn import ApproxLayer, Plan, approximate


def layer(coding: str, precision: str = "int8") -> tuple[ApproxLayer, Tensor]:
    x = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(3)) * 2 - 1
    torch.manual_seed(5)
    net = approximate(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), Plan(coding=coding, precision=precision), calibrate=x)
    found = next(iter(net.layers().values()))
    assert isinstance(found, ApproxLayer)
    return found, x


@pytest.mark.parametrize("coding", ["unsigned", "signed", "sign_magnitude"])
def test_a_disturbance_is_added_to_the_sums_of_every_path(coding: str) -> None:
    whole, x = layer(coding)
    broken = copy.deepcopy(whole)
    extra = torch.arange(2 * 4 * 36, dtype=torch.float64).reshape(2, 4, 6, 6) - 100
    seen: list[Tensor] = []

    def disturb(a: Tensor, b: Tensor) -> Tensor:
        seen.extend((a, b))
        return extra

    broken.disturbance = disturb
    got, expected = broken(x), whole(x)
    assert [tuple(codes.shape) for codes in seen] == [(2, 3, 8, 8), (4, 3, 3, 3)]
    difference = (got - expected).detach().double() / whole.scale().reshape(1, -1, 1, 1)
    assert torch.allclose(difference, extra, atol=2e-2)  # float32 outputs
    assert torch.equal(whole(x), expected)


def test_a_disturbance_acts_before_integer_requantisation() -> None:
    whole, x = layer("unsigned", "int(requantisation=integer)")
    broken = copy.deepcopy(whole)
    broken.disturbance = lambda a, b: torch.full((2, 4, 6, 6), 1e9, dtype=torch.float64)
    top = (255 - whole.out_zero) * whole.out_scale
    assert bool((broken(x) == top).all())


@pytest.mark.parametrize("emulated", [False, True])
def test_full_range_codes_reach_the_pattern_that_only_a_broken_bit_makes(emulated: bool) -> None:
    whole, x = layer("signed")
    broken = copy.deepcopy(whole)
    broken.b_full_range = True
    if emulated:
        broken.disturbance = lambda a, b: torch.zeros(2, 4, 6, 6, dtype=torch.float64)
    with torch.no_grad():
        codes = whole.b_codes()
        codes[1, 2, 0, 1] = -128
        broken.weight.copy_(broken.b_quantiser().dequantise(codes))
        assert int(broken.b_codes()[1, 2, 0, 1]) == -128
        found = broken(x)
        a = broken.a_codes(x).double()
        sums = torch.nn.functional.conv2d(a, codes.double())
        assert torch.equal(found, (sums * broken.scale().reshape(1, -1, 1, 1)).float() + broken.per_channel(broken.bias))  # type: ignore[arg-type]
    assert int(whole.b_quantiser().quantise(whole.b_quantiser().dequantise(codes))[1, 2, 0, 1]) == -127
