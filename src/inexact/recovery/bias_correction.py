"""Bias correction: the unit's expected error is folded into the bias, and a proportional error into the requantisation scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._fold import check_target, fold


@recoveries.register("bias_correction")
@final
@dataclass(frozen=True, kw_only=True)
class BiasCorrection(Recovery):
    """Subtracts, per output channel, the expected error under the layer's real weights and its inputs' activation histograms.

    The expectation is linear, so it is the mean over the calibration set of (approximate - exact) sums: each tap's own histogram,
    padding and correlations included. Costs nothing at run time: it changes the stored bias.
    gain: also fit, per channel, the factor that maps approximate to exact sums with least squares. It is free where the requantisation
    scale is per channel, and serves units whose error grows with the product (logarithmic ones).
    target: "layer", the exact sums of the inputs the layer really gets; "network", what the float32 network has there, so that errors that
    layers before left behind are taken back too.

    Reference: Z.-G. Tasoulas et al., Weight-Oriented Approximation for Energy-Efficient Neural Network Inference Accelerators, IEEE TCAS-I
    67(12), 2020 (bias update); the gain: derived, docs/recovery.md.
    """

    facts: ClassVar[Facts] = Facts(changes=frozenset({"bias", "gain"}))
    gain: bool = False
    target: str = "layer"

    def __post_init__(self) -> None:
        check_target(self.target)

    @property
    def against_network(self) -> bool:
        """As `target` says."""
        return self.target == "network"

    def correct(self, probe: Probe) -> Correction:
        """Bias and gain of one layer."""
        return fold(probe, gain=self.gain, target=self.target)
