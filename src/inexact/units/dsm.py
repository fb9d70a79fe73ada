"""DSM: dynamic segment multiplier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import Builder, Wires
from inexact.core.errors import require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, segment_multiplier
from inexact.units._log import floor_log2
from inexact.units._wiring import leading_segment, multiply_segments


@multipliers.register("dsm")
@final
@dataclass(frozen=True, kw_only=True)
class DynamicSegment(Multiplier):
    """Dynamic segment multiplier: the leading `m` bits of each operand are multiplied, the rest is dropped (DRUM without its forced 1).

    m: segment bits, 2..max(width); an operand of at most m bits is kept whole. width: bits of (a, b), unsigned.
    Error: one-sided, never above exact; exact on zero and below 2**m.

    Reference: S. Narayanamoorthy, H. A. Moghaddam, Z. Liu, T. Park, N. S. Kim, "Energy-efficient approximate multiplication for
    digital signal processing and classification applications", IEEE TVLSI 23(6), 2015, doi:10.1109/TVLSI.2014.2333366
    """

    m: int = principal(4)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """`m` within 2..max(width)."""
        require_range("m", self.m, 2, max(self.width), bound="2..max(width)")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product of the segments."""
        return self._segment(a) * self._segment(b)

    def _segment(self, x: Integers) -> Integers:
        shift = np.maximum(floor_log2(x) - (self.m - 1), 0)
        return (x >> shift) << shift

    def golden(self) -> Golden:
        """Both operands all ones lose most, for each loses its most."""
        short = [((1 << bits) - 1) >> max(bits - self.m, 0) << max(bits - self.m, 0) for bits in self.width]
        wce = ((1 << self.width[0]) - 1) * ((1 << self.width[1]) - 1) - short[0] * short[1]
        return Golden(wce=wce, source="docs/derivations/segments.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Segments, an array, a shifter."""
        return multiply_segments(b, leading_segment(b, x, self.m), leading_segment(b, y, self.m), sum(self.width))

    def gates(self) -> GateCount:
        """The leading segments multiplied and shifted back."""
        return segment_multiplier(self.width, self.m)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The published segment lengths, other widths."""
        return [*(cls(m=m) for m in (3, 4, 6)), cls(m=3, width=(8, 4)), cls(m=2, width=(4, 4)), cls(m=4, width=(7, 7))]
