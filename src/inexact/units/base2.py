"""A function by powers of two: the exponent is a shift, the rest a short table of lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ONE, ZERO, Builder, Wires
from inexact.circuits.multipliers import multiply
from inexact.circuits.words import and_word, divide, encode, extend, leading_one, mux_word, not_word, or_tree, shift_left
from inexact.core.errors import require_range
from inexact.units._fixed import line, numbers, rounded_right, saturate
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

    def place(self, b: Builder, x: Wires) -> Wires:
        """A constant multiplier, lines on the fraction and a shifter; gelu: an array that divides and a multiplier behind."""
        if self.function == "exp":
            return self._place_exp(b, x)
        return self._place_gelu(b, x) if self.function == "gelu" else self._place_rsqrt(b, x)

    def _place_exp(self, b: Builder, x: Wires) -> Wires:
        constant, bits = round(math.log2(math.e) * 2**self.constant_bits), self.fraction + self.constant_bits
        low, high = (limit * constant >> bits for limit in self.argument_range())
        # above `top` the result has saturated, or the function cuts the exponent
        top = min(high, MAX_EXPONENT, self.out_width - self.out_fraction)
        t = multiply(b, x, b.constant(constant, constant.bit_length() + 1), signed=True)
        largest = int(self._power(self.arguments(), math.log2(math.e))[0].max())
        value = self._place_lines(b, _points(np.exp2, 0.0, 1.0, self.segments), t[:bits], largest.bit_length())
        exponent = extend(t[bits:], max(abs(low), abs(high), abs(top)).bit_length() + 2, signed=True)
        down = add(b, b.constant(top, len(exponent)), not_word(b, exponent), ONE)[: len(exponent)]
        down = and_word(b, down[:-1], b.not_(down[-1]))
        return saturate(b, (*rounded_right(b, value, INNER - self.out_fraction - top, down), ZERO), self.out_width, signed=False)

    def _place_gelu(self, b: Builder, x: Wires) -> Wires:
        factor = 1.702 * math.log2(math.e)
        constant, bits = round(factor * 2**self.constant_bits), self.fraction + self.constant_bits
        negative = x[-1]
        size = add(b, [b.xor_(wire, negative) for wire in x], (ZERO,), negative)[: self.width]
        t = multiply(b, size, b.constant(constant, constant.bit_length()))
        # -t: its fraction, and how many places down its power of two is
        below = add(b, not_word(b, t[:bits]), (ZERO,), ONE)[:bits]
        down = add(b, t[bits:], (or_tree(b, t[:bits]),))
        largest = int(self._power(-np.abs(self.arguments()), factor)[0].max())
        value = self._place_lines(b, _points(np.exp2, 0.0, 1.0, self.segments), below, largest.bit_length())
        small = rounded_right(b, value, 0, down)[: INNER + 1]
        one = b.constant(1 << INNER, INNER + 1)
        weight = divide(b, mux_word(b, negative, one, small), add(b, one, small), INNER)
        places = self.fraction + INNER - self.out_fraction
        half = 1 << (places - 1) if places > 0 else 0
        product = multiply(b, x, (*weight, ZERO), signed=True, constant=half)
        return saturate(b, (*[ZERO] * -places, *product)[max(places, 0) :], self.out_width, signed=True)

    def _place_rsqrt(self, b: Builder, x: Wires) -> Wires:
        lines = leading_one(b, x)
        position = shift_left(b, x, encode(b, lines[::-1]), width=self.width)[:-1]
        # the leading one's place above the least even exponent: half of it shifts, its last bit is the octave
        odd, *down = encode(b, (*[ZERO] * (self.fraction & 1), *lines))
        octaves = [_points(lambda m: 1 / np.sqrt(m), start, 2 * start, self.segments) for start in (1.0, 2.0)]
        index, rest = self._split(position)
        start = mux_word(b, odd, *(numbers(b, points[:-1], INNER + 1, index) for points in octaves))
        slope = mux_word(b, odd, *(numbers(b, np.diff(points), INNER + 1, index) for points in octaves))
        value = line(b, start, slope, rest, INNER + 1)
        result = rounded_right(b, value, INNER - self.out_fraction + (-self.fraction >> 1), tuple(down))
        zero = b.not_(or_tree(b, lines))
        return tuple(b.or_(wire, zero) for wire in saturate(b, (*result, ZERO), self.out_width, signed=False))

    def _place_lines(self, b: Builder, points: NDArray[np.int64], position: Wires, bits: int) -> Wires:
        index, rest = self._split(position)
        return line(b, numbers(b, points[:-1], bits, index), numbers(b, np.diff(points), INNER + 2, index), rest, bits)

    def _split(self, position: Wires) -> tuple[Wires, Wires]:
        """The number of a line, and the place on it."""
        cut = len(position) - self.segments.bit_length() + 1
        return (*[ZERO] * -cut, *position[max(cut, 0) :]), position[: max(cut, 0)]

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
