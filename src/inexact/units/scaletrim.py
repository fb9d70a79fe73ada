"""scaleTRIM: a fitted line over the sum of truncated fractions, and a stored constant per segment of that sum."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Builder, Columns, Wires, add_columns, synthesize
from inexact.circuits.columns import add_constant, add_word
from inexact.core.errors import SpecError, require_range
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, constant_lookup, ripple_adder, total
from inexact.units._log import denormaliser, floor_log2, fraction_bits, normaliser, scaled
from inexact.units._wiring import add, antilogarithm, kept_fraction, logarithm

SEGMENTS = (0, 1, 2, 4, 8, 16)


@multipliers.register("scaletrim")
@final
@dataclass(frozen=True, kw_only=True)
class ScaleTrim(Multiplier):
    """`2**(ka+kb) (1 + s + s * 2**-d + c)`, floored, with s = xh + yh the sum of the fractions truncated to `h` bits.

    h: fraction bits kept, 1..max(width)-1. segments: M constants c, one per equal segment of s in 0..2 (0 = no correction; 1, 2, 4,
    8 or 16). constant_bits: fraction bits of a constant, 1..16. The line's slope is the least-squares one through the origin for
    uniform fractions, its excess over 1 taken as the nearest power of two 2**-d (nearest exponent); a constant is the mean of what
    the line leaves in its segment. The paper's text fixes these rules but not the constants' word length, nor its figures to the
    digit. width: bits of (a, b), unsigned; zero is detected.
    Error: two-sided, small mean with constants; exact on zero, not on powers of two.

    Reference: E. Farahmand et al., "scaleTRIM: scalable truncation-based integer approximate multiplier with linearization and
    compensation", 2023, doi:10.48550/arXiv.2303.02495
    """

    h: int = principal(3)
    segments: int = principal(4)
    constant_bits: int = 8
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Fraction bits there are; a power of two of segments, none of them empty."""
        require_range("h", self.h, 1, max(self.width) - 1, bound="1..max(width)-1, the fraction's bits")
        if isinstance(self.segments, bool) or self.segments not in SEGMENTS:
            raise SpecError(f"segments must be 0, 1, 2, 4, 8 or 16 (constants over the sum of the fractions), not {self.segments!r}")
        if self.segments > 1 << self.h:
            raise SpecError(
                f"segments must be at most 2**h ({1 << self.h}), or the last would hold no sum of two fractions, not {self.segments}"
            )
        require_range("constant_bits", self.constant_bits, 1, 16)

    def product(self, a: Integers, b: Integers) -> Integers:
        """Line and constant with all their fraction bits, then shifted into place."""
        shift, constants = line(self.h), corrections(self.h, self.segments, self.constant_bits)
        bits = max(self.h + shift, self.constant_bits)
        ka, kb = floor_log2(a), floor_log2(b)
        s = fraction_bits(a, ka, self.h) + fraction_bits(b, kb, self.h)
        mantissa = (1 << bits) + (s << (bits - self.h)) + (s << (bits - self.h - shift))
        if self.segments:
            mantissa = mantissa + (constants[(s * self.segments) >> (self.h + 1)] << (bits - self.constant_bits))
        return np.where((a == 0) | (b == 0), 0, scaled(mantissa, bits, ka + kb))

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Normalisers, the sum of the fractions, one sum of line and constant, a shifter."""
        shift, constants = line(self.h), corrections(self.h, self.segments, self.constant_bits)
        bits, p, q = max(self.h + shift, self.constant_bits), logarithm(b, x), logarithm(b, y)
        s = add(b, kept_fraction(p, self.h), kept_fraction(q, self.h))
        columns: Columns = [[] for _ in range(bits + 3)]
        add_constant(columns, 1 << bits)
        add_word(columns, s, bits - self.h)
        add_word(columns, s, bits - self.h - shift)
        if self.segments:
            index = s[self.h + 2 - self.segments.bit_length() :]
            # negative constants modulo the sum's width
            tables = [[(int(c) >> bit) & 1 for c in constants] for bit in range(self.constant_bits + 3)]
            add_word(columns, synthesize(b, tables, index), bits - self.constant_bits)
        return antilogarithm(b, add_columns(b, columns, tree="dadda"), p, q, sum(self.width) + 1)

    def gates(self) -> GateCount:
        """Normalisers, adders for the sum, the line and the constant, the table of constants, shifter, zero detection."""
        bits = max(self.h + line(self.h), self.constant_bits)
        front = total(normaliser(width, min(self.h, width - 1)) for width in self.width)
        summed = ripple_adder(self.h).then(ripple_adder(self.h + 1))
        constants = corrections(self.h, self.segments, self.constant_bits)
        constant = constant_lookup([int(c) % (1 << bits) for c in constants], bits)
        added = ripple_adder(bits) if self.segments else GateCount()
        return front.then(summed).then(constant).then(added).then(denormaliser(self.width, bits + 2))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Published pairs of h and M, other widths."""
        pairs = [cls(h=h, segments=m) for h, m in ((2, 0), (2, 4), (3, 0), (3, 4), (3, 8), (4, 4), (4, 8), (5, 8))]
        return [*pairs, cls(width=(8, 4)), cls(h=2, segments=2, width=(4, 4)), cls(h=4, width=(7, 7))]


@functools.cache
def line(h: int) -> int:
    """d of the line's slope 1 + 2**-d for fractions truncated to h bits."""
    s, target = _cells(h)
    slope = float((target * s).sum() / (s * s).sum())
    return -round(math.log2(slope - 1))


@functools.cache
def corrections(h: int, segments: int, bits: int) -> NDArray[np.int64]:
    """The constants in units of 2**-bits, one per segment of the sum."""
    s, target = _cells(h)
    rest = target - s * (1 + Fraction(1, 1 << line(h)))
    index = np.array(s * segments / 2 // 1, dtype=np.int64)
    means = [rest[index == segment].sum() / int((index == segment).sum()) for segment in range(segments)]
    return np.array([round(mean * (1 << bits)) for mean in means], dtype=np.int64)


def _cells(h: int) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """For every pair of truncated fractions, exactly: their sum, and the mean of x + y + xy over what was cut off."""
    size = 1 << h
    cut = np.array([Fraction(i, size) for i in range(size)], dtype=object)
    centre = cut + Fraction(1, 2 * size)
    s = np.add.outer(cut, cut)
    return s, np.add.outer(centre, centre) + np.multiply.outer(centre, centre)
