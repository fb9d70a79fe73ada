"""Bias correction: the unit's expected error is folded into the bias, and a proportional error into the requantisation scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries


@recoveries.register("bias_correction")
@final
@dataclass(frozen=True, kw_only=True)
class BiasCorrection(Recovery):
    """Subtracts, per output channel, the expected error under the layer's real weights and its inputs' activation histograms.

    The expectation is linear, so it is the mean over the calibration set of (approximate - exact) sums: each tap's own histogram,
    padding and correlations included. Costs nothing at run time: it changes the stored bias.
    gain: also fit, per channel, the factor that maps approximate to exact sums with least squares. It is free where the requantisation
    scale is per channel, and serves units whose error grows with the product (logarithmic ones).

    Reference: Z.-G. Tasoulas et al., Weight-Oriented Approximation for Energy-Efficient Neural Network Inference Accelerators, IEEE TCAS-I
    67(12), 2020 (bias update); the gain: derived, docs/recovery.md.
    """

    gain: bool = False

    def correct(self, probe: Probe) -> Correction:
        """Bias and gain of one layer."""
        return fold(probe, probe.accumulator, with_gain=self.gain)


def fold(probe: Probe, sums: Tensor, *, with_gain: bool, column: Tensor | None = None) -> Correction:
    """The bias (int64) and gain that bring `sums` nearest to the exact ones, per channel, in the least squares sense."""
    approximate = probe.by_channel(sums).double()
    exact = probe.by_channel(probe.exact).double()
    approximate_mean, exact_mean = approximate.mean(1), exact.mean(1)
    gain = torch.ones_like(exact_mean)
    if with_gain:
        centred = approximate - approximate_mean[:, None]
        variance = centred.square().mean(1)
        covariance = (centred * (exact - exact_mean[:, None])).mean(1)
        gain = torch.where((variance > 0) & (covariance > 0), covariance / variance.clamp(min=1e-12), gain)
    bias = torch.round(approximate_mean - exact_mean / gain).to(torch.int64)
    return Correction(bias=bias, gain=gain, column=column)
