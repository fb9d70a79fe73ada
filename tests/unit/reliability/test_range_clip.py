"""Range restriction: what passes, that faults meet it behind the struck layer, and what it is charged."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import SpecError
from inexact.nn import ApproxLayer, ApproxModel, Plan, approximate
from inexact.reliability import ImageFault, Stratum, Struck, Subject, faults, mitigations
from inexact.reliability._walk import Walk, WholeNetwork, runner


def network() -> tuple[ApproxModel, Tensor]:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(75, 4))
    images = torch.rand(60, 1, 5, 5)
    return approximate(model, Plan(multiplier="exact"), calibrate=images), images


def first(net: ApproxModel) -> ApproxLayer:
    layer = net.layers()["0"]
    assert isinstance(layer, ApproxLayer)
    return layer


@torch.no_grad()
def test_outputs_outside_the_range_do_not_pass() -> None:
    net, images = network()
    free = first(net)(images * 3)
    low, high = first(net)(images).amin((0, 2, 3), keepdim=True), first(net)(images).amax((0, 2, 3), keepdim=True)
    clipped = first(mitigations.get("range_clip").protected(net, images))
    assert torch.equal(clipped(images * 3), free.clamp(low, high))
    assert torch.equal(clipped(images), first(net)(images))
    zeroed = first(mitigations.get("range_clip(action=zero)").protected(net, images))
    outside = (free < low) | (free > high)
    assert bool(outside.any())
    assert torch.equal(zeroed(images * 3), free.masked_fill(outside, 0.0))
    shared = first(mitigations.get("range_clip(granularity=per_tensor,headroom=0.5)").protected(net, images))
    width = high.max() - low.min()
    assert torch.allclose(shared(images * 3), free.clamp(low.min() - 0.5 * width, high.max() + 0.5 * width))
    assert first(net).guard is None


@torch.no_grad()
def test_faults_are_restricted_behind_the_layer_they_strike() -> None:
    net, images = network()
    guarded = mitigations.get("range_clip").protected(net, images)
    subject = Subject.of(guarded, images[:3])
    walk, whole = runner(subject), WholeNetwork(subject)
    assert isinstance(walk, Walk)
    golden, rows = walk.golden(images), torch.arange(20)
    for spec in ("accumulator_flip(bits=24,layers='0')", "weight_flip(bits=7,layers='0')"):
        fault = faults.get(spec)
        assert isinstance(fault, ImageFault)
        (stratum,) = fault.population(subject)
        numbers = fault.draw(stratum, len(rows), np.random.default_rng(0))
        strike = functools.partial(_strike, fault, stratum, numbers)
        found = walk.faulty(golden, "0", rows, strike)
        assert torch.equal(found, whole.faulty(golden, "0", rows, strike))
        assert float((found - golden.scores[rows]).abs().max()) < 2  # bit 24 alone moves an output by thousands


def _strike(fault: ImageFault, stratum: Stratum, numbers: NDArray[np.int64], struck: Struck) -> Tensor:
    return fault.strike(struck, [stratum] * len(numbers), numbers)


def test_two_comparisons_an_output_are_charged() -> None:
    net, _ = network()
    machine = hardware.load("edge-16x16")
    found = mitigations.get("range_clip").overhead(net, machine)
    assert found.energy.value == pytest.approx(2 * 32 * (3 * 25 + 4) * machine.rates.add_bit[0])
    assert not found.energy.verified
    assert 0 < found.energy_percent < 5
    assert 0 < found.area_percent < 5


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("range_clip(action=wrap)", "action must be one of clip, zero, not 'wrap'"),
        ("range_clip(granularity=per_pixel)", "granularity must be one of per_channel, per_tensor"),
        ("range_clip(headroom=-1)", "headroom must be a share from 0 to 10, not -1"),
    ],
)
def test_bad_parameters_are_refused(spec: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        mitigations.get(spec)
