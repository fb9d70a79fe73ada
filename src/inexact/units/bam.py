"""Broken-array multiplier: carry-save cells right of one line and above another are left out."""

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
from inexact.units._cells import column_bound, dropped_value, expected_dropped
from inexact.units._gates import GateCount, array_gates


@multipliers.register("bam")
@final
@dataclass(frozen=True, kw_only=True)
class BrokenArray(Multiplier):
    """Array multiplier without the cells in columns below `vbl` and without the rows of the `hbl` lowest bits of b.

    hbl: horizontal break level, 0..wb. vbl: vertical break level, 0..wa+wb-1. width: bits of (a, b), unsigned.
    Error: one-sided, never above exact; exact on zero. `bam(hbl=0,vbl=v)` is `trunc(cut=v)`, `bam(hbl=h,vbl=0)` is
    `perforation(start=0,count=h)`.

    Reference: H. R. Mahdiani, A. Ahmadi, S. M. Fakhraie, C. Lucas, "Bio-inspired imprecise computational blocks for efficient VLSI
    implementation of soft-computing applications", IEEE TCAS-I 57(4), 2010, doi:10.1109/TCSI.2009.2027626
    """

    hbl: int = principal(0)
    vbl: int = principal(4)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Break levels within the array."""
        require_range("hbl", self.hbl, 0, self.width[1], bound="0..bits of b")
        require_range("vbl", self.vbl, 0, sum(self.width) - 1, bound=column_bound(self.width))

    def kept(self) -> NDArray[np.bool_]:
        """Which cells (bit of a, bit of b) are formed."""
        i, j = np.indices(self.width)
        return np.asarray((i + j >= self.vbl) & (j >= self.hbl), dtype=bool)

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product less the cells left out."""
        return a * b - dropped_value(a, b, self.kept())

    def golden(self) -> Golden:
        """All cells left out weigh positive and are 1 together when both operands are all ones; each is 1 in a quarter of the pairs."""
        mean = float(expected_dropped(self.kept()))
        return Golden(mae=mean, mean_error=-mean, wce=4 * mean, source="docs/derivations/cells.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The array of the kept cells."""
        return multiply(b, x, y, kind="array", kept=self.kept())

    def gates(self) -> GateCount:
        """The kept cells."""
        return array_gates(self.kept())

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Vertical, horizontal and both breaks, other widths."""
        levels = [cls(hbl=h, vbl=v) for h, v in ((0, 6), (2, 0), (2, 6), (4, 8))]
        return [*levels, cls(hbl=1, vbl=3, width=(8, 4)), cls(hbl=1, vbl=2, width=(4, 4)), cls(hbl=2, vbl=5, width=(7, 7))]
