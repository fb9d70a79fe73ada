"""Ranges: scales of activations and weights are chosen anew for the unit that multiplies them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, require_range
from inexact.nn import ApproxLayer, Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._fold import check_target, fold
from inexact.recovery._weights import with_weights

LOOKED_AT = 128
"""Inputs that candidates are compared on, if more came; bias and gain are found on all."""

PLACES = ("kept", "low", "high")
"""Of the zero point under another scale: where it is, as far from the lowest code in real numbers as it was, or from the highest."""


@recoveries.register("ranges")
@final
@dataclass(frozen=True, kw_only=True)
class Ranges(Recovery):
    """Multiplies the scale of a layer's activations, then that of its weights, by the factor under which its approximate output is best.

    A factor below 1 clips the largest values and spends the codes on the rest; above 1 it leaves codes unused, which serves units that err
    less on small operands, or on some of them. The error is that of the layer's output, in real numbers, against float32, after the bias
    (and gain) that suit the factor. Factors of weights are chosen for each output channel where the granularity is per channel.
    factors: of the present scale; 1 is always tried. rounds: 1..4, times that both are chosen, each under the other's last choice.
    shift: whether zero points of unsigned codes may move with the scale, so that the range keeps its lower or its upper end: the codes in
    use are then the smallest or the largest ones. gain, target: as in bias correction.
    Must come first in a chain. Products of two activations get bias and gain only. Costs a pass over the layer a factor (with `shift`,
    up to three), twice a round.

    Reference: derived, docs/recovery.md; for exact products: M. Nagel et al., A White Paper on Neural Network Quantization, 2021,
    arXiv:2106.08295, section 3.1
    """

    facts: ClassVar[Facts] = Facts(changes=frozenset({"ranges", "weights", "bias", "gain"}), least=32, time="two layer passes a factor")
    factors: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9, 1.25, 1.6, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0)
    rounds: int = 1
    shift: bool = False
    gain: bool = True
    target: str = "network"

    def __post_init__(self) -> None:
        if not isinstance(self.factors, tuple) or not self.factors or not all(isinstance(f, (int, float)) and f > 0 for f in self.factors):
            raise SpecError(f"factors must be one or more positive numbers, as in (0.8,1.25), not {self.factors!r}")
        require_range("rounds", self.rounds, 1, 4)
        check_target(self.target)

    @property
    def against_network(self) -> bool:
        """As `target` says."""
        return self.target == "network"

    def correct(self, probe: Probe) -> Correction:
        """Scales and zero points, which are set in the layer, then weight codes, bias and gain under them."""
        layer = with_weights(probe, self.family_name)
        if layer is None or probe.x is None:
            return fold(probe, gain=self.gain, target=self.target)
        goal = probe.reference if self.target == "network" and probe.reference is not None else layer.float_output(probe.x)
        trials = _Trials(layer, probe.x[:LOOKED_AT], goal[:LOOKED_AT], self.gain)
        candidates = [(1.0, "kept"), *((factor, place) for factor in self.factors for place in (PLACES if self.shift else PLACES[:1]))]
        begin = _Scale(layer.a_scale, layer.a_zero), _Scale(layer.b_scale, layer.b_zero)
        for _ in range(self.rounds):
            trials.choose_activations(begin[0], candidates)
            trials.choose_weights(begin[1], candidates)
        final_probe = _Trials(layer, probe.x, goal, self.gain).probe()
        return replace(fold(final_probe, gain=self.gain, target="network"), codes=final_probe.b)


@final
class _Scale:
    """Scale and zero point of one operand as they came, and what a candidate makes of them."""

    def __init__(self, scale: Tensor, zero: Tensor) -> None:
        self.scale, self.zero = scale.clone(), zero.clone()

    def under(self, factor: float, place: str, top: int) -> tuple[Tensor, Tensor]:
        """Scale and zero point; top: the largest code of an operand whose zero point may move, else 0."""
        moved = {"kept": self.zero, "low": self.zero / factor, "high": top - (top - self.zero) / factor}[place]
        return self.scale * factor, torch.round(moved).clamp(0, top) if top else self.zero


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

    def choose_activations(self, begin: _Scale, candidates: list[tuple[float, str]]) -> None:
        """One candidate for the layer."""
        layer, quantiser = self.layer, self.layer.a_quantiser()
        top = quantiser.high if quantiser.low == 0 and quantiser.grid is None else 0
        found = []
        for candidate in candidates:
            self._set((layer.a_scale, layer.a_zero), begin.under(*candidate, top))
            found.append(float(self.errors().sum()))
        self._set((layer.a_scale, layer.a_zero), begin.under(*candidates[found.index(min(found))], top))

    def choose_weights(self, begin: _Scale, candidates: list[tuple[float, str]]) -> None:
        """One candidate a channel, or one where the channels share a scale."""
        layer, quantiser = self.layer, self.layer.b_quantiser()
        top = quantiser.high if quantiser.low == 0 and quantiser.grid is None else 0
        options = [begin.under(*candidate, top) for candidate in candidates]
        found = []
        for option in options:
            self._set((layer.b_scale, layer.b_zero), option)
            errors = self.errors()
            found.append(errors.sum()[None] if begin.scale.numel() == 1 else errors)
        best = torch.stack(found).argmin(0)
        channels = torch.arange(len(best), device=best.device)
        chosen = (torch.stack([option[part].reshape(-1) for option in options])[best, channels] for part in (0, 1))
        self._set((layer.b_scale, layer.b_zero), tuple(part.reshape(begin.scale.shape) for part in chosen))

    def _set(self, buffers: tuple[Tensor, Tensor], values: tuple[Tensor, ...]) -> None:
        for buffer, value in zip(buffers, values, strict=True):
            buffer.copy_(value)
