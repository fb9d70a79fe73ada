"""TOSAM: multiply short rounded fractions, add longer truncated ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ONE, Builder, Columns, Wires, add_columns, partial_products
from inexact.circuits.columns import add_constant, add_word
from inexact.core.errors import require_range
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, reduce_columns, total
from inexact.units._log import denormaliser, floor_log2, fraction_bits, normaliser, scaled
from inexact.units._wiring import antilogarithm, kept_fraction, logarithm


@multipliers.register("tosam")
@final
@dataclass(frozen=True, kw_only=True)
class Tosam(Multiplier):
    """Truncation- and rounding-based multiplier: `2**(ka+kb) (1 + xt + yt + xh yh)` for a = 2**ka (1+x), b = 2**kb (1+y), floored.

    h: fraction bits multiplied, a 1 appended below them (round to odd), 0..t. t: fraction bits added, truncated, 0..max(width)-1;
    published with t = h+2 .. h+4. Bits below an operand's own are zero. width: bits of (a, b), unsigned; zero is detected.
    Error: two-sided, slightly negative mean; relative error about 2**-(h+2); exact on zero, not on small operands.

    Reference: S. Vahdat, M. Kamal, A. Afzali-Kusha, M. Pedram, "TOSAM: an energy-efficient truncation- and rounding-based scalable
    approximate multiplier", IEEE TVLSI 27(5), 2019, doi:10.1109/TVLSI.2018.2890712
    """

    h: int = principal(1)
    t: int = principal(5)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """`t` within the longest fraction, `h` within `t`."""
        require_range("t", self.t, 0, max(self.width) - 1, bound="0..max(width)-1, the fraction's bits")
        require_range("h", self.h, 0, self.t, bound="0..t")

    @property
    def _fraction(self) -> int:
        return max(self.t, 2 * self.h + 2)

    def product(self, a: Integers, b: Integers) -> Integers:
        """Sum of the terms with as many fraction bits as the longest needs, then shifted into place."""
        ka, kb, bits = floor_log2(a), floor_log2(b), self._fraction
        x, y = fraction_bits(a, ka, self.t), fraction_bits(b, kb, self.t)
        odd_x, odd_y = (2 * (fraction >> (self.t - self.h)) + 1 for fraction in (x, y))
        mantissa = (1 << bits) + ((x + y) << (bits - self.t)) + ((odd_x * odd_y) << (bits - 2 * self.h - 2))
        return np.where((a == 0) | (b == 0), 0, scaled(mantissa, bits, ka + kb))

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Normalisers, the small array, one sum of all terms, a shifter."""
        p, q, bits = logarithm(b, x), logarithm(b, y), self._fraction
        columns: Columns = [[] for _ in range(bits + 2)]
        add_constant(columns, 1 << bits)
        for log in (p, q):
            add_word(columns, kept_fraction(log, self.t), bits - self.t)
        cells = partial_products(b, (ONE, *kept_fraction(p, self.h)), (ONE, *kept_fraction(q, self.h)))
        for column, wires in enumerate(cells[: 2 * self.h + 2]):
            columns[bits - 2 * self.h - 2 + column].extend(wires)
        return antilogarithm(b, add_columns(b, columns, tree="dadda"), p, q, sum(self.width))

    def gates(self) -> GateCount:
        """Two normalisers, h x h cells, one carry-save sum of all terms and the constant ones, a shifter, zero detection."""
        bits = self._fraction
        heights = [0] * (bits + 2)
        for i in range(self.t):
            heights[bits - self.t + i] += 2
        for i in range(self.h):
            # (2X+1)(2Y+1) = 4XY + 2X + 2Y + 1
            heights[bits - 2 * self.h - 1 + i] += 2
            for j in range(self.h):
                heights[bits - 2 * self.h + i + j] += 1
        front = total(normaliser(width, self.t) for width in self.width)
        cells = GateCount(and2=self.h * self.h, levels=int(self.h > 0))
        summed = reduce_columns(heights, (1 << bits) + (1 << (bits - 2 * self.h - 2)))
        return front.then(cells).then(summed).then(denormaliser(self.width, bits + 2))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The published pairs that fit eight bits, other widths."""
        pairs = [cls(h=h, t=t) for h, t in ((0, 2), (0, 3), (1, 5), (2, 6), (3, 7))]
        return [*pairs, cls(width=(8, 4)), cls(h=0, t=2, width=(4, 4)), cls(h=2, t=6, width=(7, 7)), cls(h=0, t=0)]
