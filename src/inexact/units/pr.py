"""PR(k, m): Booth digits of one operand left out, the other operand rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Columns, Wires, add_columns
from inexact.circuits.adders import ripple
from inexact.circuits.columns import add_constant, add_word
from inexact.circuits.words import extend
from inexact.core.errors import SpecError, require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, reduce_columns


@multipliers.register("pr")
@final
@dataclass(frozen=True, kw_only=True)
class PerforatedRounded(Multiplier):
    """Radix-4 Booth multiplier of two's complement operands without the `k` lowest digits of b, on a rounded to a multiple of 2**m.

    k: Booth digits of b left out, 0..wb/2-1; by the recoding this rounds b to the nearest multiple of 4**k (ties up).
    m: bits of a rounded away, 0..wa-1: its m lowest bits go, the highest of them is added to what is left (ties up). width: bits of
    (a, b); b's even, as its digits have two bits. Always signed.
    Error: two-sided, rounding in both operands: nearly unbiased; exact on zero; rank at most 2.

    Reference: V. Leon, G. Zervakis, S. Xydis, D. Soudris, K. Pekmestzi, "Walking through the energy-error Pareto frontier of
    approximate multipliers", IEEE Micro 38(4), 2018, doi:10.1109/MM.2018.043191124
    """

    k: int = principal(1)
    m: int = principal(2)
    width: tuple[int, int] = (8, 8)

    @property
    def signed(self) -> bool:
        """Two's complement."""
        return True

    def check(self) -> None:
        """Whole digits, something left of both operands."""
        if self.width[1] % 2:
            raise SpecError(f"the bits of b must be even (radix-4 Booth digits), not {self.width[1]}; widen b by one")
        require_range("k", self.k, 0, self.width[1] // 2 - 1, bound="0..bits of b / 2 - 1")
        require_range("m", self.m, 0, self.width[0] - 1, bound="0..bits of a - 1")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product of the rounded operands."""
        return rounded(a, self.m) * rounded(b, 2 * self.k)

    def golden(self) -> Golden:
        """Rounding, ties up, takes the mean -1/2 of an operand to 0."""
        rounds = int(self.k > 0) + int(self.m > 0)
        return Golden(mean_error=-0.25 if rounds else 0.0, error_rank=rounds, source="docs/derivations/segments.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """A rounded by an incrementer, a row of selectors per kept digit, one sum."""
        rest = (
            x[self.m :]
            if self.m == 0
            else ripple(b, extend(x[self.m :], len(x) - self.m + 1, signed=True), (ZERO,) * (len(x) - self.m + 1), x[self.m - 1])[:-1]
        )
        word, width = extend(rest, len(rest) + 1, signed=True), sum(self.width) - self.m - 2 * self.k
        columns: Columns = [[] for _ in range(width)]
        correction = 0
        for row in range(len(y) // 2 - self.k):
            start = 2 * (self.k + row)
            below, middle, above = y[start - 1] if start else ZERO, y[start], y[start + 1]
            one, two = b.xor_(middle, below), b.mux(above, b.and_(middle, below), b.nor_(middle, below))
            bits = [b.xor_(b.or_(b.and_(one, wire), b.and_(two, word[i - 1] if i else ZERO)), above) for i, wire in enumerate(word)]
            # the row's top bit weighs -2**t, and -s = (not s) - 1; a negative digit adds its one at the bottom
            add_word(columns, (*bits[:-1], b.not_(bits[-1])), 2 * row)
            add_word(columns, (above,), 2 * row)
            correction -= 1 << (2 * row + len(bits) - 1)
        add_constant(columns, correction % (1 << width))
        return (*(ZERO,) * (self.m + 2 * self.k), *add_columns(b, columns))

    def gates(self) -> GateCount:
        """Per kept digit an encoder and a row of selectors, the sign by one's complement and a bit; rows summed carry-save."""
        rows, bits = self.width[1] // 2 - self.k, self.width[0] - self.m + 1 + int(self.m > 0)
        # digit from three bits: one = XOR, two = AND-OR of both polarities; selector: two AND, OR, XOR with the sign
        encoder = GateCount(xor2=rows, and2=2 * rows, or2=rows, inv=3 * rows, levels=3)
        selector = GateCount(and2=2 * rows * bits, or2=rows * bits, xor2=rows * bits, levels=4)
        top = sum(self.width) - self.m - 2 * self.k
        heights = [0] * top
        for row in range(rows):
            for column in range(2 * row, min(2 * row + bits, top)):
                heights[column] += 1
            heights[2 * row] += 1
        constant = sum(-1 << (2 * row + bits - 1) for row in range(rows)) % (1 << top)
        return encoder.then(selector).then(reduce_columns(heights, constant))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Perforation only, rounding only, both, other widths."""
        pairs = [cls(k=k, m=m) for k, m in ((0, 0), (1, 0), (0, 3), (1, 2), (2, 3))]
        return [*pairs, cls(width=(8, 4)), cls(width=(4, 4)), cls(m=3, width=(7, 6))]


def rounded(x: Integers, bits: int) -> Integers:
    """x rounded to a multiple of 2**bits, ties up."""
    return x if bits == 0 else np.asarray(((x >> bits) + ((x >> (bits - 1)) & 1)) << bits, dtype=np.int64)
