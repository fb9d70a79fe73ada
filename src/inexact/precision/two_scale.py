"""Two scales: every number has a few bits and either a fine scale or one that is 2**gap times as wide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import require_range
from inexact.core.workload import Arithmetic, Coding
from inexact.precision._base import formats
from inexact.precision._calibration import Observer
from inexact.precision._mixed import Codes, MixedFormat
from inexact.precision._quantiser import Grid, Quantiser
from inexact.precision.integer import GRANULARITIES, Int, fitted, one_of


@cache
def grid(largest: int, gap: int) -> Grid:
    """Sizes 0..largest of the fine scale, and those of the wide one above them."""
    return Grid.of_integers((*range(largest + 1), *(size << gap for size in range((largest >> gap) + 1, largest + 1))))


@formats.register("two_scale")
@final
@dataclass(frozen=True, kw_only=True)
class TwoScale(MixedFormat):
    """Numbers of `bits` at a fine scale; those too large for it at the wide scale, 2**gap times the fine one (BiScaled-FxP).

    bits: 2..8, a weight's sign included. gap: 1..8. Codes are in steps of the fine scale and have bits + gap bits; the wide scale covers
    the range that calibration, weight_calibration ("minmax", "mse", "percentile") picks. granularity: of the weights' scales.
    index_bits: where a wide number stands, stored with each, or a flag with every
    number where that is less. Coding signed, or sign_magnitude for activations not negative.

    Reference: S. Jain et al., BiScaled-DNN: quantizing long-tailed datastructures with two scale factors for deep neural networks,
    DAC 2019, doi 10.1145/3316781.3317783
    """

    scheme: ClassVar[str] = "two_scales"
    codings: ClassVar[tuple[Coding, ...]] = ("signed", "sign_magnitude")
    needs_zero: ClassVar[bool] = True
    shares: ClassVar[tuple[str, ...]] = ("wide_activations", "wide_weights")

    bits: int = 6
    gap: int = 2
    granularity: str = "per_channel"
    calibration: str = "minmax"
    weight_calibration: str = "minmax"
    percentile: float = 99.99
    index_bits: int = 8

    def __post_init__(self) -> None:
        require_range("bits", self.bits, 2, 8)
        require_range("gap", self.gap, 1, 8)
        require_range("index_bits", self.index_bits, 0, 32)
        one_of("granularity", self.granularity, GRANULARITIES)
        self._plain  # noqa: B018  its checks are those of the calibrations

    @property
    def a_bits(self) -> int:  # type: ignore[override]  # of a code in fine steps
        """Of a code in fine steps."""
        return self.bits + self.gap

    @property
    def b_bits(self) -> int:  # type: ignore[override]  # of a code in fine steps
        """Of a code in fine steps."""
        return self.bits + self.gap

    @cached_property
    def _plain(self) -> Int:
        """Integers as wide as codes."""
        given = {"calibration": self.calibration, "weight_calibration": self.weight_calibration, "percentile": self.percentile}
        return Int(a_bits=self.a_bits, b_bits=self.b_bits, granularity=self.granularity, **given)  # type: ignore[arg-type]

    @property
    def b_grid(self) -> Grid:
        """Fine sizes, then wide ones."""
        return grid(self._largest("signed"), self.gap)

    def activation_grid(self, coding: Coding) -> Grid:
        """As of weights; one bit more where there is no sign."""
        return grid(self._largest(coding), self.gap)

    def _largest(self, coding: Coding) -> int:
        """The largest size at one scale, in its steps."""
        return (1 << (self.bits - (coding == "signed"))) - 1

    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """Of the range that calibration picks, in wide steps; scalars."""
        found = self._fitted(*observer.rows(), self.calibration, self.activation_grid(coding), ())
        if coding == "signed":
            return found
        return Quantiser(found.scale, torch.round(max(0.0, -observer.low) / found.scale), 0, found.high, found.grid)

    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """The same of each output channel, or of all; weight [O, …]."""
        rows = weight.detach().float().cpu().reshape(weight.shape[0] if self.granularity == "per_channel" else 1, -1)
        low, high = rows.double().aminmax(dim=1)
        return self._fitted(low, high, rows, self.weight_calibration, self.b_grid, self.scale_shape(weight))

    def _fitted(self, low: Tensor, high: Tensor, rows: Tensor, method: str, sizes: Grid, shape: tuple[int, ...]) -> Quantiser:
        top = sizes.codes[-1]

        def span(lows: Tensor, highs: Tensor, shape: tuple[int, ...]) -> Quantiser:
            step = torch.maximum(-lows, highs) / top
            scale = torch.where(step > 0, step, 1.0).float().reshape(shape)
            return Quantiser(scale, torch.zeros_like(scale), -top, top, sizes)

        return fitted(low, high, rows, span, shape, method=method, percentile=self.percentile, key=("two_scale", top, self.gap))

    def scale_shape(self, weight: Tensor) -> tuple[int, ...]:
        """As for integers."""
        return self._plain.scale_shape(weight)

    def outputs(self, observer: Observer) -> Quantiser:
        """As integers."""
        return self._plain.outputs(observer)

    def counted(self, codes: Codes) -> tuple[float, ...]:
        """Shares of numbers at the wide scale."""
        wide_inputs = codes.inputs.abs() > self._largest(codes.coding)
        return float(wide_inputs.float().mean()), float((codes.b.abs() > self._largest("signed")).float().mean())

    def charged(self, found: Mapping[str, float], coding: Coding) -> Arithmetic:
        """Multipliers of `bits`, products shifted by the gap for each wide operand; indices stored, or flags."""
        return Arithmetic(
            a_bits=self.bits,
            b_bits=self.bits,
            coding=coding,
            scheme=self.scheme,
            shift=self.gap,
            a_stored_bits=self.bits + min(1.0, found["wide_activations"] * self.index_bits),
            b_stored_bits=self.bits + min(1.0, found["wide_weights"] * self.index_bits),
        )
