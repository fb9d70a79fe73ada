"""Recursive multiplier of 2x2 blocks, each exact or approximate by a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import Builder, Columns, Wires, add_columns
from inexact.circuits.columns import add_word
from inexact.core.errors import SpecError
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, array_gates, reduce_columns

ERRORS = {"e": 0, "k": -2, "p": 2}
"""What a block adds to 3 x 3."""


@multipliers.register("recursive")
@final
@dataclass(frozen=True, kw_only=True)
class Recursive(Multiplier):
    """Products of 2-bit digits summed exactly, where a map says for every block whether 3 x 3 is 9, 7 or 11.

    blocks: one letter per block, digit of a by digit of b, each from the least significant: e exact, k Kulkarni's (3 x 3 = 7), p its
    mirror (3 x 3 = 11); or one letter for all blocks; or "healing": exact where the digits have equal place, k where a's digit is
    lower and p where it is higher, so that the errors of every mirrored pair cancel in the mean. width: bits of (a, b), even,
    unsigned.
    Error: the sum over the blocks of -2, 0 or +2 times 4**(i+j) wherever both digits are 3; exact on zero.

    Reference: P. Kulkarni, P. Gupta, M. Ercegovac, "Trading accuracy for power with an underdesigned multiplier architecture",
    VLSI Design 2011, doi:10.1109/VLSID.2011.51; G. A. Gillani, M. A. Hanif, B. Verstoep, S. H. Gerez, M. Shafique, A. B. J.
    Kokkeler, "MACISH: designing approximate MAC accelerators with internal-self-healing", IEEE Access 7, 2019,
    doi:10.1109/ACCESS.2019.2920335
    """

    blocks: str = principal("healing")
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Whole digits, a letter for every block."""
        if any(bits % 2 for bits in self.width):
            raise SpecError(f"recursive needs operands of even width (2-bit digits), not {self.width[0]}x{self.width[1]}; widen by one bit")
        count = self.width[0] * self.width[1] // 4
        known = isinstance(self.blocks, str) and set(self.blocks) <= set(ERRORS) and len(self.blocks) in (1, count)
        if self.blocks != "healing" and not known:
            raise SpecError(f"blocks must be healing, one of e, k, p, or {count} such letters, one per block, not {self.blocks!r}")

    def map(self) -> list[list[str]]:
        """The letter of every block: `[digit of a][digit of b]`."""
        rows, columns = (bits // 2 for bits in self.width)
        if self.blocks == "healing":
            return [
                ["e" if i == j or max(i, j) >= min(rows, columns) else "k" if i < j else "p" for j in range(columns)] for i in range(rows)
            ]
        letters = self.blocks * (rows * columns // len(self.blocks))
        return [list(letters[i * columns : (i + 1) * columns]) for i in range(rows)]

    def _signs(self) -> list[tuple[int, int, int]]:
        return [(i, j, ERRORS[letter]) for i, row in enumerate(self.map()) for j, letter in enumerate(row) if ERRORS[letter]]

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product and the blocks' errors."""
        result = np.array(a * b, dtype=np.int64)
        for i, j, error in self._signs():
            result += error * ((((a >> 2 * i) & 3) == 3) & (((b >> 2 * j) & 3) == 3)).astype(np.int64) << 2 * (i + j)
        return result

    def golden(self) -> Golden:
        """Every block errs on a sixteenth of the pairs."""
        return Golden(
            mean_error=sum(error * 4.0 ** (i + j) for i, j, error in self._signs()) / 16,
            wcre=2 / 9 if self._signs() else 0.0,
            source="docs/derivations/kulkarni.md",
        )

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The blocks, their outputs summed by one array."""
        columns: Columns = [[] for _ in range(sum(self.width) + 1)]
        for i, row in enumerate(self.map()):
            for j, letter in enumerate(row):
                add_word(columns, _block(b, letter, x[2 * i : 2 * i + 2], y[2 * j : 2 * j + 2]), 2 * (i + j))
        return add_columns(b, columns, tree="dadda")

    def gates(self) -> GateCount:
        """Exact and approximate blocks, one carry-save sum."""
        heights = [0] * (sum(self.width) + 1)
        gates = GateCount()
        # 7 is 111: 3 bits, the OR of the crossed terms; 11 is 1011: the carry needs the AND of all four and the sum's 1 stays
        block = {
            "e": array_gates(np.ones((2, 2), dtype=bool)),
            "k": GateCount(and2=4, or2=1, levels=2),
            "p": GateCount(and2=5, or2=1, xor2=1, levels=4),
        }
        for i, row in enumerate(self.map()):
            for j, letter in enumerate(row):
                gates = gates + block[letter]
                for bit in range(3 if letter == "k" else 4):
                    heights[2 * (i + j) + bit] += 1
        # 11 in many blocks can pass the exact product's bits
        return gates.then(reduce_columns(heights if any("p" in row for row in self.map()) else heights[:-1]))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The balanced map, uniform ones, a mixed one, other widths."""
        mixed = "kkkekkpekpppeepe"
        return [cls(), *(cls(blocks=b) for b in ("e", "k", "p", mixed)), cls(width=(8, 4)), cls(blocks="kppe", width=(4, 4))]


def _block(b: Builder, letter: str, x: Wires, y: Wires) -> Wires:
    """Product of two digits, with 3 x 3 = 9, 7 or 11."""
    low, left, right, high = (b.and_(x[i], y[j]) for i, j in ((0, 0), (1, 0), (0, 1), (1, 1)))
    if letter == "k":
        return low, b.or_(left, right), high
    both = b.and_(low, high)
    middle = b.or_(left, right) if letter == "p" else b.xor_(left, right)
    return low, middle, b.xor_(high, both), both
