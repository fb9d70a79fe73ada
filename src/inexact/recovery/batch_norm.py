"""Batch norm re-estimation, as it is once batch norms are folded: gain and bias that restore mean and variance of every channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch

from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._fold import with_moments


@recoveries.register("batch_norm")
@final
@dataclass(frozen=True, kw_only=True)
class BatchNorm(Recovery):
    """Gives every output channel the mean and the variance it has in the float32 network on the same calibration inputs.

    A batch norm behind the layer computes `g (y - m) / s + d` with the mean m and deviation s of y; re-estimated on the approximate
    network it uses those of the approximate y~, so its output again has mean d and deviation |g|. Folded, m and s are gone from the
    network; mean d and deviation |g| are those of the folded layer's output in float32, which is run for them. The result is
    `(s_float / s~) (y~ - m~) + m_float`: a gain, which is free in a per-channel requantisation scale, and a bias. Unlike the gain of
    `bias_correction`, which least squares shrink where the error is independent of the sum, it keeps the variance.
    Layers that no batch norm follows are treated the same. Channels that do not vary keep the gain 1.

    Reference: qosnets2024 (per operating point); the folded form: derived, docs/recovery.md
    """

    facts: ClassVar[Facts] = Facts(changes=frozenset({"bias", "gain"}), least=16, time="one forward pass and one in float32")

    @property
    def against_network(self) -> bool:
        """Always."""
        return True

    def correct(self, probe: Probe) -> Correction:
        """Bias and gain of one layer."""
        sums, goal = probe.by_channel(probe.sums).double(), probe.by_channel(probe.target("network"))
        now, wanted = sums.var(1, correction=0), goal.var(1, correction=0)
        gain = torch.where((now > 0) & (wanted > 0), (wanted / now.clamp(min=1e-12)).sqrt(), torch.ones_like(now))
        return with_moments(probe, gain, goal.mean(1))
