"""Layer-wise reconstruction: weight codes are moved until the approximate layer gives what it should on calibration inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import PlanError, require_range
from inexact.nn import ApproxLayer, Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._descent import Windows, descend
from inexact.recovery._facts import Facts
from inexact.recovery._fold import check_target, fold
from inexact.recovery._weights import with_weights

HELD_OUT = 4
"""Every fourth output position judges what was found on the others."""


@recoveries.register("reconstruction")
@final
@dataclass(frozen=True, kw_only=True)
class Reconstruction(Recovery):
    """Chooses weight codes that minimise the squared error of the approximate layer's output, by coordinate descent on the unit's table.

    One weight position after another, all filters at once, each filter takes the code within `reach` of its own that brings its sums
    nearest to the target over sampled output positions; the change is exact, because the sums of a candidate follow from the sums of
    the present errors by activation code, for any table. The mean error does not count: the bias takes it, and the gain is fitted before
    and after. A filter keeps its new codes where its error falls on held-out positions, which were not used to find them.
    Columns of stages before are kept and counted. Products of two activations, which hold no weights, get bias (and gain) only.
    reach: 1..255 codes up and down; 1 is a choice of rounding, as in the work below, more moves weights to codes the unit serves better.
    sweeps: 1..8 passes. positions: 256..65536 output positions sampled. gain, target: as in bias correction.
    Convolutions over images and linear layers only; approximate accumulators are refused. Costs one look at every output position
    for each weight of the filters of a group.

    Reference: M. Nagel et al., Up or Down? Adaptive Rounding for Post-Training Quantization, ICML 2020, arXiv:2004.10568 (rounding by
    layer-wise reconstruction, there with a relaxation and an exact product); through the table: derived, docs/recovery.md
    """

    facts: ClassVar[Facts] = Facts(
        changes=frozenset({"weights", "bias", "gain"}), inputs=512, least=64, time="seconds a layer: positions x weights x sweeps"
    )
    reach: int = 16
    sweeps: int = 2
    positions: int = 8192
    gain: bool = True
    target: str = "network"

    def __post_init__(self) -> None:
        require_range("reach", self.reach, 1, 255)
        require_range("sweeps", self.sweeps, 1, 8)
        require_range("positions", self.positions, 256, 65536)
        check_target(self.target)

    @property
    def against_network(self) -> bool:
        """As `target` says."""
        return self.target == "network"

    def correct(self, probe: Probe) -> Correction:
        """Weight codes, bias and gain of one layer."""
        layer = with_weights(probe, self.family_name)
        start = fold(probe, gain=self.gain, target=self.target)
        if layer is None:
            return start
        if layer.rule.sums is not None:
            raise PlanError(f"reconstruction in layer {layer.name} needs exact sums: leave the accumulator {layer.rule.accumulator} away")
        moved = self._moved(probe, layer, start.gain)
        before, after = probe.after(start), probe.after(replace(start, codes=moved))
        after = after.after(fold(after, gain=self.gain, target=self.target))
        better = self._held_out_error(after) < self._held_out_error(before)
        kept = torch.where(better.reshape(-1, *[1] * (moved.dim() - 1)), moved, probe.b.to(torch.int64))
        return fold(probe.after(replace(start, codes=kept)), gain=self.gain, target=self.target)

    def _moved(self, probe: Probe, layer: ApproxLayer, gain: Tensor) -> Tensor:
        unrolled = layer.unrolled(layer.arithmetic.a_patterns(probe.a).float())  # [P, groups, K]
        goal = probe.by_channel(probe.target(self.target)) / gain[:, None]
        error = probe.by_channel(probe.sums).double() - goal  # [O, P]
        chosen = self._sampled(len(unrolled)).to(error.device)
        windows = Windows.of(probe, unrolled[chosen].long())
        return descend(windows, error[:, chosen].float(), reach=self.reach, sweeps=self.sweeps).reshape(probe.b.shape)

    def _sampled(self, count: int) -> Tensor:
        free = torch.arange(count)
        free = free[free % HELD_OUT != HELD_OUT - 1]
        order = torch.randperm(len(free), generator=torch.Generator().manual_seed(0))
        return free[order[: self.positions]]

    def _held_out_error(self, probe: Probe) -> Tensor:
        """float64 [O], mean squared error of the corrected sums."""
        goal, sums = probe.by_channel(probe.target(self.target)), probe.by_channel(probe.sums).double()
        correction = probe.correction
        found = (sums - correction.bias[:, None]) * correction.gain[:, None] - goal
        return found[:, HELD_OUT - 1 :: HELD_OUT].square().mean(1)
