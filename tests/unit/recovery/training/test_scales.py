"""Learned scales against their definition."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import inexact as ix
from inexact import units
from inexact.core.errors import PlanError
from inexact.nn import Plan, approximate
from inexact.recovery.training._scales import Scales

from .cases import data, emulated, layer


@pytest.mark.parametrize(("unit", "precision"), [("mitchell", "int8"), ("drum(k=3)", "int(granularity=per_channel)")])
def test_gradients_of_scales_are_those_of_the_sums_through_the_unit(unit: str, precision: str) -> None:
    plan = Plan(multiplier=unit, coding="sign_magnitude", precision=precision)
    generator, linear = torch.Generator().manual_seed(0), nn.Linear(5, 3)
    linear.weight.data = torch.randn(3, 5, generator=generator)
    x = torch.randn(7, 5, generator=generator)
    net = approximate(nn.Sequential(linear), plan, calibrate=x * 0.7)  # some inputs are clipped
    scales, one = Scales(net.requires_grad_()), layer(net, "0")
    arriving = torch.randn(7, 3, generator=generator)
    torch.autograd.backward(net(x), arriving)
    scales.collect()

    table, zero, (a, b) = torch.tensor(units.multipliers.get(unit).table()).double(), one.a_zero, (one.a_codes(x), one.b_codes().detach())
    through = table[a.long()[:, None, :], b.abs().long()[None]] * b.sign() - zero * b  # [7, 3, 5], in steps of both scales
    s_a, s_b = one.a_scale.double(), one.b_scale.detach().double().reshape(-1, 1)
    inside = torch.round(x / s_a) + zero == a
    moves_a = (through - (x / s_a * inside)[:, None, :] * b).sum(2) * s_b.T * arriving
    moves_b = (through * s_a - ((a - zero) * s_a)[:, None, :] * (one.weight.detach() / s_b)[None]).sum(2) * arriving
    by_channel = moves_b.sum(0) if len(s_b) > 1 else moves_b.sum()
    assert not bool(inside.all())
    torch.testing.assert_close(scales.a[0].grad, (moves_a.sum() * s_a).float(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        scales.b[0].grad, (by_channel * s_b.reshape(by_channel.shape)).float().reshape(one.b_scale.shape), rtol=1e-4, atol=1e-6
    )


def test_scales_are_written_as_learned() -> None:
    net = emulated()
    scales, one = Scales(net), layer(net, "0")
    before = one.a_scale.clone(), one.b_scale.clone()
    with torch.no_grad():
        scales.a[0].sub_(math.log(4.0))
        scales.b[0].add_(math.log(2.0))
    scales.write()
    torch.testing.assert_close((one.a_scale, one.b_scale), (before[0] / 4, before[1] * 2))


def test_scales_of_blocks_cannot_be_learned() -> None:
    with pytest.raises(PlanError, match=r"ranges=learned needs one scale a tensor or channel; mx.* in layer 0 has others: set ranges=kept"):
        ix.finetune(emulated(Plan(precision="mxint8")), data(64), "finetune(ranges=learned)")
