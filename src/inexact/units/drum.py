"""DRUM: multiply the leading `k` bits of each operand, unbiased by a forced 1 below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import Builder, Wires
from inexact.core.errors import require_range
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, segment_multiplier
from inexact.units._log import floor_log2
from inexact.units._wiring import Segment, leading_segment, multiply_segments


@multipliers.register("drum")
@final
@dataclass(frozen=True, kw_only=True)
class Drum(Multiplier):
    """Dynamic range unbiased multiplier: a `k`-bit segment from the leading one, its lowest bit set to 1 when bits are dropped.

    k: segment bits, 2..max(width); an operand of at most k bits is kept whole. width: bits of (a, b), unsigned.
    Error: two-sided, nearly unbiased relative error of about 2**-k; exact below 2**k and on zero.

    Reference: S. Hashemi, R. I. Bahar, S. Reda, "DRUM: a dynamic range unbiased multiplier for approximate applications",
    ICCAD 2015, doi:10.1109/ICCAD.2015.7372600
    """

    k: int = principal(4)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """`k` within 2..max(width)."""
        require_range("k", self.k, 2, max(2, *self.width), bound="2..max(width)")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product of the segments."""
        return self._segment(a) * self._segment(b)

    def _segment(self, x: Integers) -> Integers:
        shift = np.maximum(floor_log2(x) - (self.k - 1), 0)
        return np.where(shift > 0, ((x >> shift) | 1) << shift, x)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Segments with a forced 1, an array, a shifter."""
        first, second = (leading_segment(b, word, self.k) for word in (x, y))
        forced = [Segment((b.or_(s.bits[0], s.shortened), *s.bits[1:]), s.shift, s.shortened) for s in (first, second)]
        return multiply_segments(b, forced[0], forced[1], sum(self.width))

    def gates(self) -> GateCount:
        """The leading segments multiplied and shifted back; per shortened operand one OR forces the lowest bit."""
        return segment_multiplier(self.width, self.k) + GateCount(or2=sum(bits > self.k for bits in self.width))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The published segment lengths, other widths."""
        return [
            *(cls(k=k) for k in (3, 4, 5, 6, 7)),
            cls(k=3, width=(8, 4)),
            cls(k=6, width=(8, 4)),
            cls(k=2, width=(4, 4)),
            cls(k=4, width=(7, 7)),
        ]
