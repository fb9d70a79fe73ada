"""Channel equalisation: large channels of the activations are divided and their weights multiplied, as far as it serves the unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import PlanError, SpecError
from inexact.nn import ApproxConvTranspose2d, ApproxLayer, ApproxLinear, Correction, Probe, divide_channels
from inexact.precision import Observer
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts
from inexact.recovery._fold import check_target, fold
from inexact.recovery._trials import Trials, goal_of
from inexact.recovery._weights import probe_now, with_weights


@recoveries.register("equalisation")
@final
@dataclass(frozen=True, kw_only=True)
class Equalisation(Recovery):
    """Divides input channel j of a layer by `s_j = max|X_j|**alpha / max|W_j|**(1 - alpha)` and multiplies its weights by it.

    One large channel then no longer sets the range of all others, whose codes grow, which helps units that lose small operands. Each
    layer takes the alpha under which its approximate output is nearest to float32, after the bias (and gain) that suit it, with ranges of
    both operands taken anew from least to greatest value; or stays as it is where none is better. Weights stay float32.
    alphas: 0..1, how much of the largest activation goes over to the weights; 1: all channels of the input have the same range.
    gain, target: as in bias correction. Before everything else in a chain, `ranges` included. Products of two activations, whose
    operands no weights follow, get bias and gain only; transposed convolutions are refused. Costs a pass over the layer an alpha, of as
    many inputs and rows as `ranges` looks at.

    In hardware the quantiser of the input has a factor for each channel. Where the whole input comes from the requantisation of one layer
    that has a scale a channel, with nothing but a ReLU or pooling between, the factor is part of that scale and nothing is charged;
    elsewhere a multiplication an input value is. One channel alone is not divided.

    Reference: G. Xiao et al., SmoothQuant, ICML 2023, arXiv:2211.10438, equation 4, with one alpha for all layers and exact products; for
    convolutions: M. Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, arXiv:1906.04721;
    alpha by the unit's error: derived, docs/recovery.md
    """

    facts: ClassVar[Facts] = Facts(
        changes=frozenset({"channels", "ranges", "bias", "gain"}),
        least=32,
        time="a layer pass an alpha",
        hardware="a factor a channel: part of the scale of the layer before, or charged as a multiplication an input value",
    )
    alphas: tuple[float, ...] = (0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)
    gain: bool = True
    target: str = "network"

    def __post_init__(self) -> None:
        if (
            not isinstance(self.alphas, tuple)
            or not self.alphas
            or not all(isinstance(a, (int, float)) and 0 <= a <= 1 for a in self.alphas)
        ):
            raise SpecError(f"alphas must be one or more numbers 0..1, as in (0.5,0.75), not {self.alphas!r}")
        check_target(self.target)

    @property
    def against_network(self) -> bool:
        """As `target` says."""
        return self.target == "network"

    def correct(self, probe: Probe) -> Correction:
        """Divisors and ranges, which are set in the layer, then bias and gain under them; the probe's input is divided as well."""
        layer = with_weights(probe, self.family_name)
        if layer is None or probe.x is None:
            return fold(probe, gain=self.gain, target=self.target)
        if isinstance(layer, ApproxConvTranspose2d):
            raise PlanError(
                f"equalisation is not for transposed convolutions, of which layer {layer.name} is one: give it another recovery"
            )
        goal = goal_of(probe, layer, self.target)
        start, (largest, heaviest) = _Settings(layer), _sizes(layer, probe.x)
        found = [_error(layer, probe.x, goal, self.gain)]
        for alpha in self.alphas:
            found.append(_error(layer, _equalise(layer, probe.x, _divisors(largest, heaviest, alpha)), goal, self.gain))
            start.restore()
        best = found.index(min(found))
        if best:
            probe.x = _equalise(layer, probe.x, _divisors(largest, heaviest, self.alphas[best - 1]))
        return fold(probe_now(layer, probe.x, goal), gain=self.gain, target="network")


@final
class _Settings:
    """What equalisation changes in a layer, as it was."""

    def __init__(self, layer: ApproxLayer) -> None:
        self.layer = layer
        self.buffers = (layer.weight.data, layer.a_scale, layer.a_zero, layer.b_scale, layer.b_zero)
        self.values = [buffer.clone() for buffer in self.buffers]
        self.divisors = layer.divisors

    def restore(self) -> None:
        self.layer.divisors = self.divisors
        for buffer, value in zip(self.buffers, self.values, strict=True):
            buffer.copy_(value)


def _sizes(layer: ApproxLayer, x: Tensor) -> tuple[Tensor, Tensor]:
    """float32 [C] each: the largest absolute activation and weight of every input channel, without the divisors there are."""
    largest = x.detach().abs().movedim(-1 if isinstance(layer, ApproxLinear) else 1, 0).flatten(1).amax(1)
    weight = layer.weight.detach().abs().reshape(len(layer.weight), layer.weight.shape[1], -1).amax(2)  # [O, C / groups]
    heaviest = weight.reshape(len(largest) // weight.shape[1], -1, weight.shape[1]).amax(1).flatten()
    return (largest, heaviest) if layer.divisors is None else (largest * layer.divisors, heaviest / layer.divisors)


def _divisors(largest: Tensor, heaviest: Tensor, alpha: float) -> Tensor:
    """float32 [C], 1 where a channel or its weights are zero; their geometric mean is 1, which scales need not make up for then."""
    met = (largest > 0) & (heaviest > 0)
    logarithms = alpha * torch.log(largest) - (1 - alpha) * torch.log(heaviest)
    if bool(met.any()):
        logarithms = logarithms - logarithms[met].mean()
    return torch.where(met, torch.exp(logarithms), torch.ones_like(logarithms))


def _equalise(layer: ApproxLayer, x: Tensor, divisors: Tensor) -> Tensor:
    """Put divisors into a layer, with ranges from least to greatest value under them; x as it enters the layer now."""
    found, seen = x / divide_channels(layer, divisors), Observer()
    seen.update(found)
    layer.range_operand("a", layer.rule.format.activations(seen, layer.rule.coding))
    layer.range_weights()
    return found


def _error(layer: ApproxLayer, x: Tensor, goal: Tensor, gain: bool) -> float:
    return float(Trials.on_a_part(layer, x, goal, gain=gain).errors().sum())
