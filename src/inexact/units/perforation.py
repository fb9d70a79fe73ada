"""Partial-product perforation: successive rows of the array are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Builder, Wires
from inexact.circuits.multipliers import multiply
from inexact.core.errors import require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, array_gates


@multipliers.register("perforation")
@final
@dataclass(frozen=True, kw_only=True)
class Perforated(Multiplier):
    """Array multiplier without the rows of `count` successive bits of b, from bit `start`: `a * (b - 2**start * x_b)`.

    start: first row left out, 0..wb-1. count: rows left out, 0..wb-start (with signed operands the sign row stays: one less).
    signed: two's complement operands. width: bits of (a, b).
    Error: -a * 2**start * x_b, x_b the dropped bits: unsigned one-sided, never above exact; exact on zero; rank 1.

    Reference: G. Zervakis, K. Tsoumanis, S. Xydis, D. Soudris, K. Pekmestzi, "Design-efficient approximate multiplication circuits
    through partial product perforation", IEEE TVLSI 24(10), 2016, doi:10.1109/TVLSI.2016.2535398
    """

    start: int = principal(0)
    count: int = principal(2)
    signed: bool = False
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """The rows lie within b; a sign row is never dropped."""
        bits = self.width[1]
        require_range("start", self.start, 0, bits - 1, bound="0..bits of b - 1")
        high = bits - self.start - int(self.signed)
        require_range("count", self.count, 0, high, bound=f"0..bits of b - start{' - 1 (the sign row stays)' if self.signed else ''}")

    def kept(self) -> NDArray[np.bool_]:
        """Which cells (bit of a, bit of b) are formed."""
        rows = np.arange(self.width[1])
        kept = (rows < self.start) | (rows >= self.start + self.count)
        return np.broadcast_to(kept, self.width).copy()

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product with b's dropped bits cleared."""
        dropped = ((1 << self.count) - 1) << self.start
        return a * (b & ~np.int64(dropped))

    def golden(self) -> Golden:
        """The error is a product of two independent factors."""
        largest = ((1 << self.count) - 1) << self.start
        mean_a = -0.5 if self.signed else (2 ** self.width[0] - 1) / 2
        extreme = 1 << (self.width[0] - 1) if self.signed else (1 << self.width[0]) - 1
        mean_abs_a = 2.0 ** (self.width[0] - 2) if self.signed else mean_a
        return Golden(
            error_probability=(1 - 2.0 ** -self.width[0]) * (1 - 2.0**-self.count),
            mae=mean_abs_a * largest / 2,
            mean_error=-mean_a * largest / 2,
            wce=extreme * largest,
            error_rank=int(self.count > 0),
            source="docs/derivations/cells.md",
        )

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The array of the kept rows."""
        return multiply(b, x, y, signed=self.signed, kind="dadda", kept=self.kept())

    def gates(self) -> GateCount:
        """The kept rows."""
        return array_gates(self.kept(), signed=self.signed)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """From the bottom, from the middle, signed, other widths."""
        rows = [cls(start=s, count=c) for s, c in ((0, 2), (0, 3), (0, 4), (1, 3), (2, 2))]
        return [*rows, cls(signed=True), cls(count=1, width=(8, 4)), cls(count=1, start=1, width=(4, 4)), cls(width=(7, 7))]
