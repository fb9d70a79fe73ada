"""Bias and gain that bring sums nearest to what they should be."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from inexact.core.errors import SpecError, near
from inexact.nn import Correction, Probe

TARGETS = ("layer", "network")


def check_target(target: str) -> None:
    """Raise SpecError unless it is one of `TARGETS`."""
    if target not in TARGETS:
        raise SpecError(f"target must be layer or network, not {target!r}{near(str(target), TARGETS)}")


def fold(probe: Probe, *, gain: bool, target: str = "layer") -> Correction:
    """The probe's correction with the bias (int64) and gain, per channel, that map its sums to the target in the least squares sense.

    gain: whether to fit it, else 1. A slope that is not positive is left at 1.
    """
    sums, goal = probe.by_channel(probe.sums).double(), probe.by_channel(probe.target(target))
    mean, wanted = sums.mean(1), goal.mean(1)
    slope = torch.ones_like(wanted)
    if gain:
        centred = sums - mean[:, None]
        variance = centred.square().mean(1)
        covariance = (centred * (goal - wanted[:, None])).mean(1)
        slope = torch.where((variance > 0) & (covariance > 0), covariance / variance.clamp(min=1e-12), slope)
    return with_moments(probe, slope, wanted)


def with_moments(probe: Probe, gain: Tensor, wanted: Tensor) -> Correction:
    """The probe's correction with a gain, and the bias under which the mean of `gain * (sums - bias)` is `wanted`; both float64 [O]."""
    mean = probe.by_channel(probe.sums).double().mean(1)
    return replace(probe.correction, bias=torch.round(mean - wanted / gain).to(torch.int64), gain=gain)
