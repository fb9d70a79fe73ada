"""Ranges: scales of activations and weights are chosen anew for the unit that multiplies them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, require_range
from inexact.nn import Correction, Probe
from inexact.precision import Quantiser
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._fold import check_target, fold
from inexact.recovery._trials import Trials, goal_of
from inexact.recovery._weights import probe_now, with_weights


@recoveries.register("ranges")
@final
@dataclass(frozen=True, kw_only=True)
class Ranges(Recovery):
    """Multiplies the scale of a layer's activations, then that of its weights, by the factor under which its approximate output is best.

    A factor below 1 clips the largest values and spends the codes on the rest; above 1 it leaves codes unused, which serves units that err
    less on small operands, or on some of them. Zero points of unsigned codes stay, or are divided by the factor, so that the least value
    keeps the code 0 and the largest codes are the ones left unused: whichever is better. The error is that of the layer's output, in real
    numbers, against float32, after the bias (and gain) that suit the candidate. Weights choose for each output channel where the
    granularity is per channel.
    factors: of the present scale; 1 is always tried. 255 / 15 = 17, for one, makes operands of 4 bits of those of 8.
    rounds: 1..4, times that both operands choose, each under the other's last choice. gain, target: as in bias correction.
    Must come first in a chain. Products of two activations get bias and gain only. Costs a pass over the layer a
    candidate, for both operands, of at most 128 inputs, and of those at most 1,024 rows of a linear layer.

    Reference: derived, docs/recovery.md; for exact products: M. Nagel et al., A White Paper on Neural Network Quantization, 2021,
    arXiv:2106.08295, section 3.1
    """

    facts: ClassVar[Facts] = Facts(
        changes=frozenset({"ranges", "weights", "bias", "gain"}), least=32, time="two to four layer passes a factor"
    )
    factors: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9, 1.25, 1.6, 2.0, 2.5, 3.0, 4.05, 5.0, 6.0, 8.23, 12.0, 17.0, 24.0, 36.5)
    rounds: int = 1
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
        goal = goal_of(probe, layer, self.target)
        choice = _Choice(Trials.on_a_part(layer, probe.x, goal, gain=self.gain))
        a = _candidates((layer.a_scale, layer.a_zero), self.factors, layer.a_quantiser())
        b = _candidates((layer.b_scale, layer.b_zero), self.factors, layer.b_quantiser())
        for _ in range(self.rounds):
            choice.choose_activations(a)
            choice.choose_weights(b)
        final_probe = probe_now(layer, probe.x, goal)
        return replace(fold(final_probe, gain=self.gain, target="network"), codes=final_probe.b)


Scaled = tuple[Tensor, Tensor]
"""Scale and zero point of an operand."""


def _candidates(present: Scaled, factors: tuple[float, ...], quantiser: Quantiser) -> list[Scaled]:
    """The present one first, then by every factor, with the zero point that it has and with one that moves with the scale."""
    scale, zero = present[0].clone(), present[1].clone()
    found = [(scale, zero), *((scale * factor, zero) for factor in factors)]
    if quantiser.low == 0 and quantiser.grid is None and bool(zero.any()):
        found += [(scale * factor, torch.round(zero / factor).clamp(max=quantiser.high)) for factor in factors]
    return found


@final
class _Choice:
    """Puts scales and zero points into a layer, those under which its output is best."""

    def __init__(self, trials: Trials) -> None:
        self.trials = trials
        self.layer = trials.layer

    def choose_activations(self, candidates: list[Scaled]) -> None:
        """One candidate for the layer."""
        buffers, found = (self.layer.a_scale, self.layer.a_zero), []
        for candidate in candidates:
            _write(buffers, candidate)
            found.append(float(self.trials.errors().sum()))
        _write(buffers, candidates[found.index(min(found))])

    def choose_weights(self, candidates: list[Scaled]) -> None:
        """One candidate a channel, or one where the channels share a scale."""
        buffers, shape, found = (self.layer.b_scale, self.layer.b_zero), self.layer.b_scale.shape, []
        for candidate in candidates:
            _write(buffers, candidate)
            errors = self.trials.errors()
            found.append(errors.sum()[None] if self.layer.b_scale.numel() == 1 else errors)
        best = torch.stack(found).argmin(0)
        channels = torch.arange(len(best), device=best.device)
        scales, zeros = (torch.stack([part.reshape(-1) for part in parts]) for parts in zip(*candidates, strict=True))
        _write(buffers, (scales[best, channels].reshape(shape), zeros[best, channels].reshape(shape)))


def _write(buffers: Scaled, values: Scaled) -> None:
    for buffer, value in zip(buffers, values, strict=True):
        buffer.copy_(value)
