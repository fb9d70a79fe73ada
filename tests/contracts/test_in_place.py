"""Networks that write in place (`Hardswish(inplace=True)`, `x += y`) give what the same networks without give, also inside."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor, nn

import inexact as ix
from inexact.explore.ranking import _record
from inexact.nn import ApproxModel, Plan, approximate
from inexact.reliability import Campaign, Opened, Settings, Store, Subject
from inexact.reliability._walk import Walk, runner
from inexact.security._memory import WeightMemory
from inexact.security.bit_flip import _slopes


class Residual(nn.Module):
    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.inplace = inplace
        self.first, self.norm = nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.second, self.activation = nn.Conv2d(6, 6, 3, padding=1), nn.Hardswish(inplace)  # not idempotent, as a ReLU is
        self.last = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.activation(self.norm(self.first(x)))
        y = self.second(x)
        if self.inplace:
            y += x
        else:
            y = y + x
        scores: Tensor = self.last(self.activation(y).mean((2, 3)))
        return scores


@functools.cache
def pair() -> tuple[ApproxModel, ApproxModel]:
    x, made = torch.randn(48, 2, 6, 6, generator=torch.Generator().manual_seed(0)), []
    for inplace in (False, True):
        torch.manual_seed(1)
        made.append(approximate(Residual(inplace).eval(), Plan(multiplier="drum(k=4)"), calibrate=x))
    return made[0], made[1]


def inputs() -> Tensor:
    return torch.randn(48, 2, 6, 6, generator=torch.Generator().manual_seed(2))


def test_recoveries_against_the_network_are_the_same() -> None:
    plain, written = (ix.recover(net, "bias_correction(gain=true,target=network)", data=inputs(), seed=0).state_dict() for net in pair())
    assert any(bool((plain[name] != before).any()) for name, before in pair()[0].state_dict().items())
    assert all(torch.equal(plain[name].nan_to_num(), written[name].nan_to_num()) for name in plain)


def test_ranking_sees_the_same_sensitivities() -> None:
    plain, written = (_record(net, inputs(), seed=0) for net in pair())
    assert len(plain) == 3
    for name, recording in plain.items():
        assert float(recording.sensitivity.sum()) > 0
        assert torch.equal(recording.sensitivity, written[name].sensitivity)
        assert torch.equal(recording.target, written[name].target)


def test_a_bit_search_sees_the_same_slopes() -> None:
    batch = inputs(), torch.arange(48) % 4
    plain, written = (_slopes(WeightMemory(net), batch) for net in pair())
    assert len(plain) == 3
    assert all(plain[name].any() and np.array_equal(plain[name], written[name]) for name in plain)


def test_faults_do_the_same_harm() -> None:
    found = []
    for net in pair():
        assert isinstance(runner(Subject.of(net, inputs())), Walk)  # not the slow way
        settings = Settings(faults=("weight_flip", "activation_flip", "accumulator_flip"), margin=0.05, budget=400)
        with Store(":memory:") as store:
            report = Campaign(settings, functools.partial(Opened, net=net, images=inputs(), labels=torch.arange(48) % 4), store).run()
        found.append([fault | {"seconds": 0} for fault in report["faults"]])
    assert any(fault["sdc1"]["value"] > 0 for fault in found[0])
    assert found[0] == found[1]
