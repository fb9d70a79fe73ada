"""Expected error: the bias takes the unit's mean error under the layer's weights and histograms of its activations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, near
from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._histograms import mean_errors

SOURCES = ("channel", "layer")


@recoveries.register("expected_error")
@final
@dataclass(frozen=True, kw_only=True)
class ExpectedError(Recovery):
    """Subtracts `sum_k sum_a p(a) E(a, w_k)` per output channel: weights are exact, activations are known by their histogram alone.

    No approximate sum is looked at, so it can be computed where only histograms are at hand. It differs from `bias_correction` in what a
    histogram leaves out: which tap of a channel meets which codes, and that padding is met at the border only.
    histogram: "channel", one for each input channel (convolutions without groups and linear layers; others take the layer's), or "layer".
    Only products are corrected, not an approximate accumulator. Products of two activations are left as they are.

    Reference: Z.-G. Tasoulas et al., IEEE TCAS-I 67(12), 2020, doi:10.1109/TCSI.2020.3019460 (bias update from the mean error of weights)
    """

    facts: ClassVar[Facts] = Facts(changes=frozenset({"bias"}), time="histograms of one forward pass")
    histogram: str = "channel"

    def __post_init__(self) -> None:
        if self.histogram not in SOURCES:
            raise SpecError(f"histogram must be channel or layer, not {self.histogram!r}{near(str(self.histogram), SOURCES)}")

    def correct(self, probe: Probe) -> Correction:
        """The bias of one layer; gain 1."""
        neutral = replace(probe.correction, gain=torch.ones_like(probe.correction.gain))
        if not probe.layer.weighted:
            return neutral
        return replace(neutral, bias=torch.round(self._expected(probe)).to(torch.int64))

    def _expected(self, probe: Probe) -> Tensor:
        errors = probe.error_table().to(probe.b.device).double()
        return mean_errors(probe, probe.answers(), errors, by_channel=self.histogram == "channel").flatten(1).sum(1)
