"""SSM: static segment multiplier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Wires, words
from inexact.circuits.multipliers import multiply
from inexact.core.errors import require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, array_gates, fixed_shift, or_tree


@multipliers.register("ssm")
@final
@dataclass(frozen=True, kw_only=True)
class StaticSegment(Multiplier):
    """Static segment multiplier: an operand below 2**m is kept, of any other only the top `m` bits are multiplied.

    m: segment bits, max(width)/2..max(width); an operand of at most m bits is kept whole. width: bits of (a, b), unsigned.
    Error: one-sided, never above exact; exact on zero and below 2**m.

    Reference: S. Narayanamoorthy, H. A. Moghaddam, Z. Liu, T. Park, N. S. Kim, "Energy-efficient approximate multiplication for
    digital signal processing and classification applications", IEEE TVLSI 23(6), 2015, doi:10.1109/TVLSI.2014.2333366
    """

    m: int = principal(5)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """The two segments together cover the operand."""
        require_range(
            "m", self.m, (max(self.width) + 1) // 2, max(self.width), bound="max(width)/2..max(width), the segments cover the operand"
        )

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product of the segments."""
        return self._segment(a, self.width[0]) * self._segment(b, self.width[1])

    def _segment(self, x: Integers, bits: int) -> Integers:
        drop = max(bits - self.m, 0)
        return np.where(x < 1 << self.m, x, (x >> drop) << drop)

    def golden(self) -> Golden:
        """Both operands all ones lose most, for each loses its most."""
        short = [((1 << bits) - 1) >> max(bits - self.m, 0) << max(bits - self.m, 0) for bits in self.width]
        wce = ((1 << self.width[0]) - 1) * ((1 << self.width[1]) - 1) - short[0] * short[1]
        return Golden(wce=wce, source="docs/derivations/segments.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Segments, an array, an optional shift per operand."""
        upper = [words.or_tree(b, word[self.m :]) for word in (x, y)]
        segments = [words.mux_word(b, high, word[: self.m], word[-self.m :]) for high, word in zip(upper, (x, y), strict=True)]
        result = multiply(b, *segments, kind="dadda")
        for high, bits in zip(upper, self.width, strict=True):
            drop = max(bits - self.m, 0)
            result = words.mux_word(b, high, result, (*[ZERO] * drop, *result))
        return result

    def gates(self) -> GateCount:
        """Per operand an OR of the upper bits and a multiplexer row; the segments' array; one optional shift per operand."""
        segments = [min(bits, self.m) for bits in self.width]
        front, back, out = GateCount(), GateCount(), sum(segments)
        for bits, segment in zip(self.width, segments, strict=True):
            if drop := bits - segment:
                front = front + or_tree(drop).then(GateCount(mux2=segment, levels=2))
                back = back.then(fixed_shift(out, drop))
                out += drop
        return front.then(array_gates(np.ones(segments, dtype=bool))).then(back)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The published segment lengths, other widths."""
        return [*(cls(m=m) for m in (4, 5, 6)), cls(m=5, width=(8, 4)), cls(m=3, width=(4, 4)), cls(m=4, width=(7, 7))]
