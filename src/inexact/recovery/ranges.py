"""Ranges: scales of activations and weights are chosen anew for the unit that multiplies them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError
from inexact.nn import ApproxLayer, Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._fold import check_target, fold
from inexact.recovery._weights import with_weights


@recoveries.register("ranges")
@final
@dataclass(frozen=True, kw_only=True)
class Ranges(Recovery):
    """Multiplies the scale of a layer's activations, then that of its weights, by the factor under which its approximate output is best.

    A factor below 1 clips the largest values and spends the codes on the rest; above 1 it leaves codes unused, which serves units that are
    exact on small operands. The error is that of the layer's output, in real numbers, against float32, after the bias (and gain) that
    suit the factor. Factors of weights are chosen for each output channel where the granularity is per channel. Zero points stay.
    factors: of the present scale; 1 is always tried. gain, target: as in bias correction.
    Must come first in a chain. Products of two activations get bias and gain only. Costs a pass over the layer a factor, twice.

    Reference: derived, docs/recovery.md; for exact products: M. Nagel et al., A White Paper on Neural Network Quantization, 2021,
    arXiv:2106.08295, section 3.1
    """

    facts: ClassVar[Facts] = Facts(changes=frozenset({"ranges", "weights", "bias", "gain"}), least=32, time="two layer passes a factor")
    factors: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9, 1.25, 1.6)
    gain: bool = True
    target: str = "network"

    def __post_init__(self) -> None:
        if not isinstance(self.factors, tuple) or not self.factors or not all(isinstance(f, (int, float)) and f > 0 for f in self.factors):
            raise SpecError(f"factors must be one or more positive numbers, as in (0.8,1.25), not {self.factors!r}")
        check_target(self.target)

    @property
    def against_network(self) -> bool:
        """As `target` says."""
        return self.target == "network"

    def correct(self, probe: Probe) -> Correction:
        """Scales, which are set in the layer, then weight codes, bias and gain under them."""
        layer = with_weights(probe, self.family_name)
        if layer is None or probe.x is None:
            return fold(probe, gain=self.gain, target=self.target)
        goal = probe.reference if self.target == "network" and probe.reference is not None else layer.float_output(probe.x)
        trials = _Trials(layer, probe.x, goal, self.gain)
        trials.choose_activations((1.0, *self.factors))
        trials.choose_weights((1.0, *self.factors))
        final_probe = trials.probe()
        return replace(fold(final_probe, gain=self.gain, target="network"), codes=final_probe.b)


@final
class _Trials:
    """Sets scales in a layer and measures its output; goal: float32, shaped as the output."""

    def __init__(self, layer: ApproxLayer, x: Tensor, goal: Tensor, gain: bool) -> None:
        self.layer = layer
        self.x = x
        self.goal = goal
        self.gain = gain

    def probe(self) -> Probe:
        """The layer as it is under the present scales."""
        a, b = self.layer.a_codes(self.x), self.layer.b_codes().detach()
        return Probe(self.layer, a, b, self.layer.approximate_sums(a, b).to(torch.int64), x=self.x, reference=self.goal)

    def errors(self) -> Tensor:
        """float64 [O], mean squared error of the output after bias and gain."""
        probe = self.probe()
        found = fold(probe, gain=self.gain, target="network")
        sums, goal = probe.by_channel(probe.sums).double(), probe.by_channel(probe.target("network"))
        left = (sums - found.bias[:, None]) * found.gain[:, None] - goal
        scale = self.layer.scale() / self.layer.gain
        return left.square().mean(1) * scale.square()

    def choose_activations(self, factors: tuple[float, ...]) -> None:
        """One factor for the layer."""
        base, best = self.layer.a_scale.clone(), (float("inf"), 1.0)
        for factor in factors:
            self.layer.a_scale.copy_(base * factor)
            best = min(best, (float(self.errors().sum()), factor))
        self.layer.a_scale.copy_(base * best[1])

    def choose_weights(self, factors: tuple[float, ...]) -> None:
        """One factor a channel, or one where the channels share a scale."""
        base = self.layer.b_scale.clone()
        shared = base.numel() == 1
        found = []
        for factor in factors:
            self.layer.b_scale.copy_(base * factor)
            errors = self.errors()
            found.append(errors.sum()[None] if shared else errors)
        best = torch.tensor(factors, device=base.device, dtype=base.dtype)[torch.stack(found).argmin(0)]
        self.layer.b_scale.copy_(base * best.reshape(base.shape))
