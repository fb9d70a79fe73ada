"""When each output bit settles: static timing bounds the sample, lower supplies make more bits late."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inexact.nn import Plan, approximate
from inexact.reliability._bit_times import bit_times
from inexact.reliability._stage import stage


def test_bits_of_every_unit_settle_within_static_timing_and_later_bits_are_late_more_often() -> None:
    torch.manual_seed(1)
    x = torch.rand(16, 2, 6, 6)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).eval()
    plan = Plan(precision="int(a_bits=4,b_bits=4)", multiplier="exact(width=4)")
    found = bit_times(approximate(net, plan, calibrate=x), [x], (1.1, 0.8, 0.7))
    assert [(bit.unit, bit.bit) for bit in found] == [("exact(width=4)", bit) for bit in range(8)]
    assert max(bit.static_ns for bit in found) == pytest.approx(stage("exact(width=4)").path_ns)
    tick = stage("exact(width=4)").sampler.tick
    for bit in found:
        assert 0 < bit.latest_ns <= bit.static_ns + 12 * tick
        assert bit.late[0] == 0.0
        assert bit.late[1] <= bit.late[2]
    assert found[0].late[2] == 0.0
    assert max(bit.late[2] for bit in found) > 0.01
    assert found[0].to_json()["bit"] == 0
