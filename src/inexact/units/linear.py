"""A function by straight lines between stored points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ZERO, Builder, Columns, Wires, add_columns
from inexact.circuits.columns import add_constant, add_word
from inexact.circuits.logic import MAX_INPUTS
from inexact.circuits.multipliers import multiply
from inexact.circuits.words import extend
from inexact.units._fixed import numbers, saturate
from inexact.units._function import Codes, Function, FunctionGolden, functions, require_power, require_target, rounded_shift
from inexact.units._gates import GateCount, array_gates, constant_lookup, ripple_adder

CURVATURE = {
    "exp": 1.0,
    "gelu": math.sqrt(2 / math.pi),
    "sigmoid": 1 / (6 * math.sqrt(3)),
    "tanh": 4 / (3 * math.sqrt(3)),
}
"""Greatest |second derivative| of the functions on the arguments they are meant for."""

GUARD = 2
"""Fraction bits of a stored point beyond the result's."""


@functions.register("linear")
@final
@dataclass(frozen=True, kw_only=True)
class Linear(Function):
    """Piecewise linear: `y0 + (y1 - y0) * d / 2**k`, d the argument's k lowest bits, y0 and y1 the function at the ends of the segment.

    function: exp, gelu, sigmoid or tanh (rsqrt has a pole: base2). segments: equal ones over the arguments' range, power of two,
    2..2**width. The points are stored with two bits more than the result, which is rounded to nearest (ties up). width, fraction,
    out_width, out_fraction: formats of argument and result.
    Error: at most max|f''| s**2 / 8 for segments of length s, and 0.625 units in the last place of rounding.

    Reference: H. Amin, K. M. Curtis, B. R. Hayes-Gill, "Piecewise linear approximation applied to nonlinear function of a neural
    network", IEE Proceedings - Circuits, Devices and Systems 144(6), 1997, doi:10.1049/ip-cds:19971587
    """

    function: str = field(default="gelu", metadata={"written": True})
    segments: int = field(default=16, metadata={"written": True})
    width: int = 8
    fraction: int = 4
    out_width: int = 16
    out_fraction: int = 12

    def check(self) -> None:
        """A known function; no more segments than arguments."""
        require_target(self.function, tuple(CURVATURE))
        require_power("segments", self.segments, 2, 1 << self.width, "one per value of the leading bits")

    @property
    def target(self) -> str:
        """The function."""
        return self.function

    @property
    def _low_bits(self) -> int:
        return self.width - self.segments.bit_length() + 1

    def points(self) -> NDArray[np.int64]:
        """The function at the ends of the segments, lowest argument first, in units of 2**-(out_fraction + 2), in the result's range."""
        first, _ = self.argument_range()
        ends = (first + np.arange(self.segments + 1) * (1 << self._low_bits)) / 2.0**self.fraction
        top = 1 << (self.out_width - int(self.out_signed) + GUARD)
        values = np.nan_to_num(self.exact(ends) * 2.0 ** (self.out_fraction + GUARD), posinf=float(top))
        return np.clip(np.rint(values), -top if self.out_signed else 0, top).astype(np.int64)

    def evaluate(self, codes: Codes) -> Codes:
        """Interpolation with all bits, rounded once."""
        points, offset = self.points(), codes - self.argument_range()[0]
        segment, low = offset >> self._low_bits, offset & ((1 << self._low_bits) - 1)
        line = (points[segment] << self._low_bits) + (points[segment + 1] - points[segment]) * low
        return rounded_shift(line, self._low_bits + GUARD)

    def golden(self) -> FunctionGolden:
        """The error of interpolation by a line, half a last place of a stored point and of the result."""
        segment = 2.0 ** (self._low_bits - self.fraction)
        line = CURVATURE[self.function] * segment**2 / 8 * 2.0**self.out_fraction
        return FunctionGolden(max_ulp=line + 0.5 + 0.5 ** (GUARD + 1), source="docs/derivations/functions.md")

    def place(self, b: Builder, x: Wires) -> Wires | None:
        """Points and slopes as logic of the leading bits, an array, one sum with the rounding, saturation; none above 256 segments."""
        if self.segments > 1 << MAX_INPUTS:
            return None
        low, points = self._low_bits, self.points()
        # leading bits in the arguments' order: the sign turned round
        leading = (*x[low:-1], b.not_(x[-1]) if self.signed else x[-1])
        bits = self.out_width + 2 + GUARD
        columns: Columns = [[] for _ in range(bits + low)]
        add_word(columns, numbers(b, points[:-1], bits, leading), low)
        slopes = np.diff(points)
        slope = numbers(b, slopes, int(abs(slopes).max()).bit_length() + 1, leading)
        product = multiply(b, slope, (*x[:low], ZERO), signed=True)
        add_word(columns, extend(product, bits + low, signed=True))
        add_constant(columns, 1 << (low + GUARD - 1))
        result = add_columns(b, columns)[low + GUARD :]
        return saturate(b, result, self.out_width, signed=self.out_signed)

    def gates(self) -> GateCount:
        """Tables of points and slopes, an array for slope times low bits, an adder."""
        points, bits = self.points(), self.out_width + GUARD
        tables = [constant_lookup([int(x) % (1 << bits) for x in values], bits) for values in (points[:-1], np.diff(points))]
        slope = max(int(abs(np.diff(points)).max()).bit_length(), 1)
        product = array_gates(np.ones((slope + 1, max(self._low_bits, 1)), dtype=bool), signed=True)
        return (tables[0] + tables[1]).then(product).then(ripple_adder(bits))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Every function; few and many segments; other formats."""
        every = [cls(function=name) for name in CURVATURE]
        return [
            *every,
            cls(segments=4),
            cls(segments=64),
            cls(function="exp", segments=256),
            cls(width=6, fraction=3, out_width=8, out_fraction=4),
        ]
