"""Ranges of weights around zero that run the cheaper modes of a low-variance reconfigurable multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch

from inexact.core.errors import SpecError, require_range
from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._modal import modal_layer
from inexact.units.lvrm import LowVariance


@recoveries.register("lvrm_ranges")
@final
@dataclass(frozen=True, kw_only=True)
class RangesOfModes(Recovery):
    """Mode 2 for weights whose code is at most `strong` from the code of zero, mode 1 for those at most `weak` from it, else mode 0, exact.

    strong, weak: -1 (no weight) to 255 (every weight), in codes; strong <= weak. Where the rule has a mode per filter, the filter's
    outermost weight decides. The published ranges are (10, 5, 0) for mode 2 and (30, 20) for mode 1; `choose_modes` tries them layer by
    layer under a budget of accuracy. Chain `bias_correction` behind it: the method counts on the bias to take the mean error.
    Needs no inputs; changes no weight. Costs the control bits of a mode a weight.

    Reference: Z.-G. Tasoulas, G. Zervakis, I. Anagnostopoulos, H. Amrouch, J. Henkel, "Weight-oriented approximation for
    energy-efficient neural network inference accelerators", IEEE TCAS-I 67(12), 2020, doi:10.1109/TCSI.2020.3019460
    """

    facts: ClassVar[Facts] = Facts(
        changes=frozenset({"modes"}), inputs=0, least=0, time="one look at the weights", hardware="control bits with every weight"
    )
    strong: int = 10
    weak: int = 30

    def __post_init__(self) -> None:
        require_range("strong", self.strong, -1, 255)
        require_range("weak", self.weak, -1, 255)
        if self.strong > self.weak:
            raise SpecError(f"strong must be at most weak ({self.weak}): weights near zero take the cheapest mode, not {self.strong}")

    def correct(self, probe: Probe) -> Correction:
        """Sets the layer's modes; the correction stays what it was."""
        layer, _ = modal_layer(probe, self.family_name, LowVariance, ("per_weight", "per_filter"))
        distance = (probe.b.double() - layer.b_zero.double()).abs()
        if layer.rule.modes == "per_filter":
            distance = distance.flatten(1).amax(1).reshape(-1, *[1] * (distance.dim() - 1))
        layer.set_modes((distance <= self.weak).to(torch.uint8) + (distance <= self.strong).to(torch.uint8))
        return probe.correction
