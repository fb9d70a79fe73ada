"""Positive and negative modes of a reconfigurable multiplier, assigned so that the errors of a filter cancel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, near
from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._histograms import mean_errors
from inexact.recovery._modal import modal_layer
from inexact.units.pn import MODES, PositiveNegative

EXACT, POSITIVE, NEGATIVE = range(len(MODES))
STARTS = ("pairs", "nearest", "negative")


@recoveries.register("pn_balance")
@final
@dataclass(frozen=True, kw_only=True)
class Balance(Recovery):
    """A mode for every weight under which the expected error of each filter, `sum_k sum_a p(a) E(a, w_k)`, is near zero.

    start: "pairs", the published way: equal weights of a filter are matched in pairs, one of each in the positive and one in the negative
        mode; those without a partner follow, the largest error first, each in the mode that brings the sum so far nearer to zero.
        "nearest": every weight in the mode with the smaller mean square error. "negative": all in the mode that switches least. After
        these two, weights change their mode one by one, to any of the three, as long as that brings the filter nearer to zero.
    p is the histogram of the weight's input channel (of the layer in grouped convolutions). No weight changes; the control bits of a mode
    are stored with each. Errors cancel on average; their variance stays, so chain `bias_correction(gain=true)` behind it.

    Reference: O. Spantidi, G. Zervakis, I. Anagnostopoulos, H. Amrouch, J. Henkel, "Positive/negative approximate multipliers for DNN
    accelerators", ICCAD 2021, doi:10.1109/ICCAD51958.2021.9643443 ("pairs", modelled after; the others: docs/recovery.md)
    """

    facts: ClassVar[Facts] = Facts(
        changes=frozenset({"modes"}), time="histograms of one forward pass", hardware="control bits with every weight"
    )
    start: str = "pairs"

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise SpecError(f"start must be pairs, nearest or negative, not {self.start!r}{near(str(self.start), STARTS)}")

    def correct(self, probe: Probe) -> Correction:
        """Sets the layer's modes; the correction stays what it was."""
        layer, _ = modal_layer(probe, self.family_name, PositiveNegative, ("per_weight",))
        patterns, table = probe.patterns(), probe.error_table().to(probe.b.device).double()
        size = 1 << layer.rule.format.b_bits
        columns = [patterns + mode * size for mode in range(len(MODES))]
        errors = torch.stack([mean_errors(probe, found, table, by_channel=True).flatten(1) for found in columns])
        if self.start == "pairs":
            modes = paired(patterns.flatten(1), errors)
        else:
            modes = torch.full_like(patterns.flatten(1), NEGATIVE)
            if self.start == "nearest":
                squares = [mean_errors(probe, found, table.square(), by_channel=True).flatten(1) for found in columns]
                modes = torch.where(squares[POSITIVE] < squares[NEGATIVE], POSITIVE, NEGATIVE)
            modes = settled(modes, errors)
        layer.set_modes(modes.reshape(patterns.shape))
        return probe.correction


def paired(patterns: Tensor, errors: Tensor) -> Tensor:
    """int64 [O, K] modes: pairs of equal patterns in opposite modes, the rest greedily. errors: float64 [3, O, K], expected."""
    order = patterns.argsort(dim=1, stable=True)
    ordered = patterns.gather(1, order)
    places = torch.arange(ordered.shape[1], device=ordered.device).expand_as(ordered)
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    rank = places - torch.where(first, places, 0).cummax(1).values  # within equal patterns
    last = torch.ones_like(first)
    last[:, :-1] = first[:, 1:]
    alone = last & (rank % 2 == 0)
    modes = torch.zeros_like(patterns).scatter_(1, order, torch.where(rank % 2 == 0, POSITIVE, NEGATIVE))
    single = torch.zeros_like(alone).scatter_(1, order, alone)
    chosen = errors.gather(0, modes[None])[0]
    total = torch.where(single, 0.0, chosen).sum(1)
    size = (errors[POSITIVE] - errors[NEGATIVE]).abs()
    largest_first = torch.where(single, size, -1.0).argsort(dim=1, descending=True, stable=True)
    for place in largest_first.T[: int(single.sum(1).max())]:
        at = place[:, None]
        up, down = (errors[mode].gather(1, at)[:, 0] for mode in (POSITIVE, NEGATIVE))
        better = torch.where((total + up).abs() < (total + down).abs(), POSITIVE, NEGATIVE)
        here = single.gather(1, at)[:, 0]
        modes.scatter_(1, at, torch.where(here, better, modes.gather(1, at)[:, 0])[:, None])
        total = total + torch.where(here, torch.where(better == POSITIVE, up, down), 0.0)
    return modes


def settled(modes: Tensor, errors: Tensor) -> Tensor:
    """int64 [O, K]: modes after changes of one weight at a time, each the one that brings the filter's expected error nearest to zero."""
    modes = modes.clone()
    filters = torch.arange(len(modes), device=modes.device)
    for _ in range(modes.shape[1]):
        now = errors.gather(0, modes[None])[0]
        total = now.sum(1)
        after = (total[None, :, None] + errors - now[None]).abs()  # [3, O, K]
        least, place = after.permute(1, 0, 2).flatten(1).min(1)
        moving = filters[least < total.abs() * (1 - 1e-9)]
        if not len(moving):
            break
        modes[moving, place[moving] % modes.shape[1]] = place[moving] // modes.shape[1]
    return modes
