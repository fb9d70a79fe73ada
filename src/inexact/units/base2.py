"""A function by powers of two: the exponent is a shift, the rest a short table of lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ZERO, Builder, Columns, Wires, add_columns
from inexact.circuits.columns import add_constant, add_word
from inexact.circuits.multipliers import multiply
from inexact.circuits.words import extend, shift_left
from inexact.core.errors import require_range
from inexact.units._fixed import numbers, saturate
from inexact.units._function import Codes, Function, FunctionGolden, functions, require_power, require_target, rounded_shift
from inexact.units._log import floor_log2
from inexact.units._wiring import add

KNOWN = ("exp", "gelu", "rsqrt")
MIN_EXPONENT, MAX_EXPONENT = -60, 20
"""Exponents of two beyond these are cut: nothing is left of the value, or it has long saturated."""

INNER = 16
"""Fraction bits of stored points and of the value before the last shift."""


@functions.register("base2")
@final
@dataclass(frozen=True, kw_only=True)
class BaseTwo(Function):
    """Range reduction by shifts, then straight lines between stored points on one octave.

    exp: 2**t with t = x log2(e), the constant rounded to `constant_bits` fraction bits; 2**floor(t) is a shift, 2**frac(t) comes from
    the lines. gelu: x times the logistic function of 1.702 x, by the same powers of two and an exact division. rsqrt: x = 4**e m with
    m in 1..4, a shift by e and lines for 1/sqrt(m), `segments` of them in 1..2 and as many in 2..4.
    segments: lines on an octave, power of two, 1..256; with one, 2**f is taken as 1 + f. constant_bits: 2..16. width, fraction,
    out_width, out_fraction: formats of argument and result.
    Error: relative, at most 6.15 % with one segment for exp, falling with the square of the segments; for gelu the logistic form
    alone is up to 0.0203 from the function. rsqrt of 0 saturates.

    Reference: J. R. Stevens, R. Venkatesan, S. Dai, B. Khailany, A. Raghunathan, "Softermax: hardware/software co-design of an
    efficient softmax for transformers", DAC 2021, doi:10.1109/DAC18074.2021.9586134; D. Hendrycks, K. Gimpel, "Gaussian error linear
    units", 2016, doi:10.48550/arXiv.1606.08415
    """

    function: str = field(default="exp", metadata={"written": True})
    segments: int = field(default=4, metadata={"written": True})
    constant_bits: int = 8
    width: int = 8
    fraction: int = 4
    out_width: int = 16
    out_fraction: int = 12

    def check(self) -> None:
        """A known function; lines on an octave; the constant's length."""
        require_target(self.function, KNOWN)
        require_power("segments", self.segments, 1, 256, "lines on an octave")
        require_range("constant_bits", self.constant_bits, 2, 16)

    @property
    def target(self) -> str:
        """The function."""
        return self.function

    def evaluate(self, codes: Codes) -> Codes:
        """Shift and lines; rounded once at the end."""
        if self.function == "exp":
            value, exponent = self._power(codes, math.log2(math.e))
            return rounded_shift(value, np.minimum(INNER - self.out_fraction - exponent, 60))
        return self._gelu(codes) if self.function == "gelu" else self._rsqrt(codes)

    def _power(self, codes: Codes, factor: float) -> tuple[Codes, Codes]:
        """2**(x * factor) as a value in 1..2 with `INNER` fraction bits, and an exponent, -60..20."""
        t = codes * round(factor * 2**self.constant_bits)
        bits = self.fraction + self.constant_bits
        exponent = t >> bits
        value = _on_lines(_points(np.exp2, 0.0, 1.0, self.segments), t & ((1 << bits) - 1), bits)
        return value, np.clip(exponent, MIN_EXPONENT, MAX_EXPONENT)

    def _gelu(self, codes: Codes) -> Codes:
        value, exponent = self._power(-np.abs(codes), 1.702 * math.log2(math.e))
        small = rounded_shift(value, -exponent)
        one = np.int64(1) << INNER
        weight = np.where(codes >= 0, one, small) * one // (one + small)
        return rounded_shift(codes * weight, self.fraction + INNER - self.out_fraction)

    def _rsqrt(self, codes: Codes) -> Codes:
        leading = floor_log2(codes)
        exponent = (leading - self.fraction) >> 1
        odd = (leading - self.fraction) & 1
        rest = (codes - (np.int64(1) << leading)) << (self.width - leading)
        low, high = (_points(lambda m: 1 / np.sqrt(m), start, 2 * start, self.segments) for start in (1.0, 2.0))
        value = np.where(odd == 1, _on_lines(high, rest, self.width), _on_lines(low, rest, self.width))
        result = rounded_shift(value, INNER - self.out_fraction + exponent)
        return np.where(codes == 0, 1 << self.out_width, result)

    def place(self, b: Builder, x: Wires) -> Wires | None:
        """exp: a constant multiplier, lines on the fraction, a shifter, rounding, saturation. gelu (it divides) and rsqrt have none."""
        constant, bits = round(math.log2(math.e) * 2**self.constant_bits), self.fraction + self.constant_bits
        low, high = (limit * constant >> bits for limit in self.argument_range())
        place = INNER - self.out_fraction - low
        if self.function != "exp" or place < 1 or low < MIN_EXPONENT or high > MAX_EXPONENT:
            return None
        t = multiply(b, x, b.constant(constant, constant.bit_length() + 1), signed=True)
        shift, cut = self.segments.bit_length() - 1, bits - self.segments.bit_length() + 1
        if cut < 1:
            return None
        points = _points(np.exp2, 0.0, 1.0, self.segments)
        index, rest = t[cut:bits], t[:cut]
        slope = numbers(b, np.diff(points), INNER + 1, index) if shift else b.constant(1 << INNER, INNER + 1)
        columns: Columns = [[] for _ in range(INNER + 1 + cut)]
        add_word(columns, numbers(b, points[:-1], INNER + 1, index) if shift else b.constant(1 << INNER, INNER + 1), cut)
        add_word(columns, multiply(b, slope, rest))
        add_constant(columns, 1 << (cut - 1))
        value = (*add_columns(b, columns)[cut:],)
        # 2**frac(t) rounds to less than 2, so INNER + 1 bits hold it; the exponent counts from its least value
        exponent = add(b, extend(t[bits:], 7, signed=True), b.constant(-low, 7))[: (high - low).bit_length()]
        moved = shift_left(b, value, exponent, width=INNER + 2 + high - low)
        rounded = add(b, moved, b.constant(1 << (place - 1), place))
        return saturate(b, extend((*rounded[place:], ZERO), max(len(rounded) - place, self.out_width) + 2), self.out_width, signed=False)

    def golden(self) -> FunctionGolden | None:
        """1 + f over 2**f is largest at f = log2(e) - 1: 1.06148; half a last place and the constant's rounding come on top."""
        if self.function != "exp" or self.segments != 1:
            return None
        reach = 2.0 ** (self.width - 1 - self.fraction)
        constant = 2.0 ** (-self.constant_bits - 1) * min(reach, math.log(16)) * math.log(2)
        slack = math.expm1(constant) + 2.0 ** (3 - self.out_fraction) + 2.0 ** (1 - INNER)
        return FunctionGolden(
            max_relative=math.log2(math.e) * 2.0 ** (1 - math.log2(math.e)) - 1 + slack, source="docs/derivations/functions.md"
        )

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Every function with one, few and many lines; other formats."""
        every = [cls(function=name, segments=n) for name in KNOWN for n in (1, 4, 16)]
        return [
            *every,
            cls(width=12, fraction=8),
            cls(function="rsqrt", width=12, fraction=4),
            cls(constant_bits=4, out_width=8, out_fraction=7),
        ]


def _points(exact: Callable[[NDArray[np.float64]], NDArray[np.float64]], low: float, high: float, segments: int) -> NDArray[np.int64]:
    return np.asarray(np.rint(exact(np.linspace(low, high, segments + 1)) * 2**INNER), dtype=np.int64)


def _on_lines(points: NDArray[np.int64], position: Codes, bits: int) -> Codes:
    """The lines through `points` at position / 2**bits of the octave, rounded to nearest."""
    count = len(points) - 1
    scaled = position * count
    segment, low = scaled >> bits, scaled & ((1 << bits) - 1)
    return np.asarray(points[segment] + rounded_shift((points[segment + 1] - points[segment]) * low, bits), dtype=np.int64)
