"""REALM: Mitchell's multiplier with one stored correction per pair of fraction segments."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ONE, ZERO, Builder, Wires, synthesize
from inexact.circuits.words import mux_word
from inexact.core.errors import SpecError, require_range
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, constant_lookup, ripple_adder, total
from inexact.units._log import denormaliser, floor_log2, fraction_bits, normaliser, scaled
from inexact.units._wiring import add, antilogarithm, kept_fraction, logarithm

SEGMENTS = (1, 2, 4, 8, 16)
FACTOR_BITS = 6
"""Fraction bits of a stored factor, as in the paper."""


@multipliers.register("realm")
@final
@dataclass(frozen=True, kw_only=True)
class Realm(Multiplier):
    """Reduced-error logarithmic multiplier: `2**(ka+kb) (1 + x + y + s)`, or `2**(ka+kb) (2(x + y) + s)` when x + y >= 1, floored.

    segments: M, each fraction's range is cut into M equal segments (1, 2, 4, 8, 16), and s is looked up for the pair. The M*M
    factors make the mean relative error of every pair of segments zero for uniform fractions (before they are rounded to 6 bits).
    drop: lowest of the max(width)-1 fraction bits dropped, 0..max(width)-1-log2(M); when any is, the lowest kept bit is set to 1.
    width: bits of (a, b), unsigned; zero is detected. The largest products can exceed wa+wb bits slightly; nothing is saturated.
    Error: two-sided, nearly unbiased; exact on zero, not on powers of two.

    Reference: H. Saadat, H. Javaid, A. Ignjatovic, S. Parameswaran, "REALM: reduced-error approximate log-based integer
    multiplier", DATE 2020
    """

    segments: int = principal(8)
    drop: int = 0
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """A power of two of segments, whose index bits are kept."""
        if isinstance(self.segments, bool) or self.segments not in SEGMENTS:
            raise SpecError(f"segments must be 1, 2, 4, 8 or 16 (segments of each operand's fraction), not {self.segments!r}")
        most = max(self.width) - 1 - self._index_bits
        if most < 0:
            raise SpecError(
                f"segments must be at most 2**(max(width)-1) ({1 << (max(self.width) - 1)}), not {self.segments}; widen the unit"
            )
        require_range("drop", self.drop, 0, most, bound="0..max(width)-1-log2(segments), the index bits stay")

    @property
    def _index_bits(self) -> int:
        return self.segments.bit_length() - 1

    def product(self, a: Integers, b: Integers) -> Integers:
        """Mitchell's mantissa with the factor of the two segments."""
        ka, kb, kept = floor_log2(a), floor_log2(b), max(self.width) - 1 - self.drop
        x, y = fraction_bits(a, ka, kept), fraction_bits(b, kb, kept)
        factor = factors(self.segments)[x >> (kept - self._index_bits), y >> (kept - self._index_bits)]
        if self.drop and kept:
            x, y = x | 1, y | 1
        bits = max(kept, FACTOR_BITS)
        one, both = np.int64(1) << bits, (x + y) << (bits - kept)
        mantissa = np.where(both < one, one + both, 2 * both) + (factor << (bits - FACTOR_BITS))
        return np.where((a == 0) | (b == 0), 0, scaled(mantissa, bits, ka + kb))

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Mitchell's mantissa, the factor from its table added before the shifter."""
        p, q, kept, index = logarithm(b, x), logarithm(b, y), max(self.width) - 1 - self.drop, self._index_bits
        fractions = [kept_fraction(log, kept) for log in (p, q)]
        chosen = [fraction[kept - index :] for fraction in fractions]
        values = factors(self.segments).ravel().tolist()
        factor = synthesize(b, [[(value >> bit) & 1 for value in values] for bit in range(FACTOR_BITS - 2)], (*chosen[1], *chosen[0]))
        if self.drop and kept:
            fractions = [(ONE, *fraction[1:]) for fraction in fractions]
        *total, carry = add(b, fractions[0], fractions[1])
        bits = max(kept, FACTOR_BITS)
        fraction = (*[ZERO] * (bits - kept), *total)
        mantissa = mux_word(b, carry, (*fraction, ONE), (ZERO, *fraction, ONE))
        corrected = add(b, mantissa, (*[ZERO] * (bits - FACTOR_BITS), *factor))
        return antilogarithm(b, corrected, p, q, sum(self.width) + 1)

    def gates(self) -> GateCount:
        """Normalisers, the logarithms' adder, the table of factors, a second adder, shifter, zero detection."""
        kept = max(self.width) - 1 - self.drop
        bits = max(kept, FACTOR_BITS)
        front = total(normaliser(width, min(kept, width - 1)) for width in self.width)
        # the factors are below one quarter, so four of the six bits are stored
        lookup = constant_lookup(factors(self.segments).ravel().tolist(), FACTOR_BITS - 2)
        return front.then(ripple_adder(kept) + lookup).then(ripple_adder(bits)).then(denormaliser(self.width, bits + 2))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The published segment counts, dropped bits, other widths."""
        counts = [cls(segments=m) for m in (1, 4, 8, 16)]
        widths = [cls(segments=4, width=(8, 4)), cls(segments=2, width=(4, 4)), cls(segments=4, width=(7, 7))]
        return [*counts, cls(segments=8, drop=2), cls(segments=4, drop=4), *widths]


@functools.cache
def factors(segments: int) -> NDArray[np.int64]:
    """The factors `[segments, segments]` in units of 2**-6.

    s = -(integral of the relative error) / (integral of 1/((1+x)(1+y))) over the segment pair: in closed form along y, by the
    midpoint rule with 512 points a segment along x.
    """
    points = 512
    x = ((np.arange(segments * points) + 0.5) / (segments * points))[:, None]
    low = (np.arange(segments) / segments)[None, :]
    high = low + 1 / segments
    split = np.clip(1 - x, low, high)
    # (1+x+y)/((1+x)(1+y)) = (1 + x/(1+y))/(1+x) below the split, 2(x+y)/((1+x)(1+y)) = 2(1 - (1-x)/(1+y))/(1+x) above it
    below = split - low + x * np.log((1 + split) / (1 + low))
    above = 2 * (high - split) - 2 * (1 - x) * np.log((1 + high) / (1 + split))
    error = (below + above) / (1 + x) - (high - low)
    weight = np.log((1 + high) / (1 + low)) / (1 + x)
    mean = [part.reshape(segments, points, segments).sum(axis=1) for part in (error, weight)]
    return np.asarray(np.rint(-mean[0] / mean[1] * 2**FACTOR_BITS), dtype=np.int64)
