"""Additive powers of two: weights that a few shifts multiply."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from inexact.core.errors import FormatError, SpecError, require_range
from inexact.core.powers import additive_powers
from inexact.core.workload import Coding
from inexact.precision._base import Format, formats
from inexact.precision._calibration import Observer, check_method
from inexact.precision._quantiser import Grid, Quantiser
from inexact.precision.integer import Int, fitted

WIDEST = 7
"""Bits of a size that the units of a layer multiply, the sign beside it."""


@formats.register("apot")
@final
@dataclass(frozen=True, kw_only=True)
class AdditivePowersOfTwo(Format):
    """Weights are a sign and a sum of `terms` powers of two, so that a product is as many shifts; activations are integers as in `int`.

    base_bits, terms: k and n. Term i is nothing or 2**-(i + j n), j = 0..2**k - 2; one term: powers of two. Stored: a sign and k n bits.
    Codes are in units of the smallest power and have `b_bits` bits; the multiplier `apot(base_bits=k,terms=n)` takes
    the stored exponents and is exact on them.
    a_bits: 2..16. calibration: of activations; weight_calibration: "mse" (the scale of least squared error of each output channel),
    "minmax" or "percentile". Coding sign_magnitude only.

    Reference: Y. Li, X. Dong, W. Wang, Additive powers-of-two quantization: an efficient non-uniform discretization for neural networks,
    ICLR 2020, arXiv:1909.13144 (levels; scales there are learned)
    """

    a_bits: int = 8
    base_bits: int = 2
    terms: int = 2
    calibration: str = "minmax"
    weight_calibration: str = "mse"
    percentile: float = 99.99

    def __post_init__(self) -> None:
        require_range("base_bits", self.base_bits, 1, 3)
        require_range("terms", self.terms, 1, 4)
        check_method(self.weight_calibration)
        if self.b_bits > WIDEST + 1:
            raise SpecError(f"base_bits={self.base_bits} and terms={self.terms} give sizes of {self.b_bits - 1} bits, not at most {WIDEST}")
        self._plain  # noqa: B018  its checks are those of the activations

    @cached_property
    def _plain(self) -> Int:
        """The integers that activations and outputs are."""
        return Int(a_bits=self.a_bits, calibration=self.calibration, percentile=self.percentile)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Every sum of terms, in units of the smallest power, ascending from 0."""
        return tuple(sorted(additive_powers(self.base_bits, self.terms)))

    @cached_property
    def b_grid(self) -> Grid:
        """The nearest sum is taken, of two equally near the smaller."""
        return Grid.of_integers(self.sizes)

    @cached_property
    def b_bits(self) -> int:  # type: ignore[override]  # of the largest code, and its sign
        """Of the largest code, and its sign."""
        return self.sizes[-1].bit_length() + 1

    @property
    def stored_bits(self) -> int:
        """A sign, and the exponents."""
        return 1 + self.base_bits * self.terms

    @property
    def quick_weights(self) -> bool:
        """True for `weight_calibration="minmax"`."""
        return self.weight_calibration == "minmax"

    @property
    def integer_output(self) -> bool:
        """Never."""
        return False

    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """As integers."""
        return self._plain.activations(observer, coding)

    def right_activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """There are none. Raises FormatError."""
        raise FormatError(f"{self.spec} is a format of weights, and this product has none: give it another precision")

    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """The nearest sums, in steps of each channel's scale; weight [O, …]."""
        rows = weight.detach().float().cpu().reshape(weight.shape[0], -1)
        low, high = rows.double().aminmax(dim=1)

        def span(lows: Tensor, highs: Tensor, shape: tuple[int, ...]) -> Quantiser:
            step = torch.maximum(-lows, highs) / self.sizes[-1]
            scale = torch.where(step > 0, step, 1.0).float().reshape(shape)
            return Quantiser(scale, torch.zeros_like(scale), -self.sizes[-1], self.sizes[-1], self.b_grid)

        shape = self.scale_shape(weight)
        return fitted(low, high, rows, span, shape, method=self.weight_calibration, percentile=self.percentile, key=self.sizes)

    def scale_shape(self, weight: Tensor) -> tuple[int, ...]:
        """[-1, 1, …]: one an output channel."""
        return (-1, *[1] * (weight.dim() - 1))

    def outputs(self, observer: Observer) -> Quantiser:
        """As integers."""
        return self._plain.outputs(observer)
