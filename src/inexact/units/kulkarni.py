"""Kulkarni's underdesigned multiplier: 2x2 blocks that say 3 x 3 = 7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import Builder, Columns, Wires, add_columns
from inexact.units._base import Golden, Integers, Multiplier, multipliers
from inexact.units._gates import GateCount, reduce_columns


@multipliers.register("kulkarni")
@final
@dataclass(frozen=True, kw_only=True)
class Kulkarni(Multiplier):
    """Products of 2-bit digits by a block without a fourth output bit (3 x 3 = 7), summed exactly.

    width: bits of (a, b), unsigned; an odd width is padded with a zero bit. Recursive composition and one flat sum are equal,
    because the additions are exact.
    Error: one-sided, never above exact; relative error at most 2/9; exact on zero.

    Reference: P. Kulkarni, P. Gupta, M. Ercegovac, "Trading accuracy for power with an underdesigned multiplier architecture",
    VLSI Design 2011, doi:10.1109/VLSID.2011.51
    """

    width: tuple[int, int] = (8, 8)

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product less 2 * 4**(i+j) wherever digit i of a and digit j of b are both 3."""
        return a * b - 2 * _threes(a, self.width[0]) * _threes(b, self.width[1])

    def golden(self) -> Golden:
        """Closed forms: E = -2 T(a) T(b) with T the sum of 4**i over the digits that are 3."""
        sizes = [bits // 2 for bits in self.width]
        mean = -2.0
        wce, error_free = 2, [0.75**n for n in sizes]
        for n in sizes:
            mean *= (4**n - 1) / 3 / 4
            wce *= (4**n - 1) // 3
        both = all(sizes)
        return Golden(
            error_probability=(1 - error_free[0]) * (1 - error_free[1]),
            mae=-mean,
            mean_error=mean,
            wce=wce,
            wcre=2 / 9 if both else 0,
            error_rank=int(both),
            source="docs/derivations/kulkarni.md",
        )

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The blocks, their outputs summed by one array."""
        columns: Columns = [[] for _ in range(sum(self.width))]
        for i in range(0, len(x), 2):
            for j in range(0, len(y), 2):
                for bit, wire in enumerate(_block(b, x[i : i + 2], y[j : j + 2])):
                    columns[i + j + bit].append(wire)
        return add_columns(b, columns, tree="dadda")

    def gates(self) -> GateCount:
        """Per block 4 AND and 1 OR; a block with a one-bit digit is plain AND. Then one carry-save sum."""
        digits = [[min(2, bits - start) for start in range(0, bits, 2)] for bits in self.width]
        heights = [0] * sum(self.width)
        gates = GateCount()
        for i, da in enumerate(digits[0]):
            for j, db in enumerate(digits[1]):
                full = da == db == 2
                gates = gates + GateCount(and2=da * db, or2=int(full), levels=1 + int(full))
                for bit in range(3 if full else da + db - 1):
                    heights[2 * (i + j) + bit] += 1
        return gates.then(reduce_columns(heights))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The published sizes, unequal and odd widths."""
        return [cls(), cls(width=(8, 4)), cls(width=(4, 4)), cls(width=(2, 2)), cls(width=(7, 7))]


def _threes(x: Integers, bits: int) -> Integers:
    """Sum of 4**i over the 2-bit digits of x that are 3."""
    both = x & (x >> 1)
    mask = sum(1 << i for i in range(0, bits - 1, 2))
    return np.asarray(both & mask, dtype=np.int64)


def _block(b: Builder, x: Wires, y: Wires) -> Wires:
    """Product of two digits; 3 x 3 = 7. A digit of one bit needs ANDs only."""
    if len(x) == len(y) == 2:
        return b.and_(x[0], y[0]), b.or_(b.and_(x[1], y[0]), b.and_(x[0], y[1])), b.and_(x[1], y[1])
    return tuple(b.and_(p, q) for p in x for q in y)
