"""Truncated adder: the lowest result bits are 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from inexact.circuits import ZERO, Builder, Wires
from inexact.circuits.adders import ripple
from inexact.core.accumulation import BitRule
from inexact.core.errors import require_range
from inexact.units._base import Adder, Golden, Integers, adders, principal, require_equal_width
from inexact.units._gates import GateCount, ripple_adder


@adders.register("trunc_adder")
@final
@dataclass(frozen=True, kw_only=True)
class TruncatedAdder(Adder):
    """Adder whose lowest `cut` result bits are 0. cut: 0..width. width: bits of the operands.

    Error: one-sided, never above exact, mean 1 - 2**cut; 0 + 0 is exact.

    Reference: H. Jiang, F. J. H. Santiago, H. Mo, L. Liu, J. Han, "Approximate arithmetic circuits: a survey, characterization, and
    recent applications", Proceedings of the IEEE 108(12), 2020, doi:10.1109/JPROC.2020.3006451
    """

    cut: int = principal(4)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width, a cut within them."""
        require_equal_width(self, "its bits are added pairwise")
        require_range("cut", self.cut, 0, self.width[0], bound="0..width")

    def sum(self, a: Integers, b: Integers) -> Integers:
        """Sum of the upper parts."""
        return ((a >> self.cut) + (b >> self.cut)) << self.cut

    def bit_rule(self) -> BitRule:
        """A lower part of zeros."""
        return BitRule(kind="truncated", low=self.cut)

    def golden(self) -> Golden:
        """The error is minus the sum of two uniform lower parts."""
        top = 2**self.cut - 1
        return Golden(error_probability=1 - 4.0**-self.cut, mae=top, mean_error=-top, wce=2 * top, source="docs/derivations/loa.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The upper part's ripple adder, above zeros."""
        return (*[ZERO] * self.cut, *ripple(b, x[self.cut :], y[self.cut :]))

    def gates(self) -> GateCount:
        """The upper part's ripple adder."""
        return ripple_adder(self.width[0] - self.cut)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Short and long cuts, another width."""
        return [cls(cut=2), cls(cut=4), cls(cut=2, width=(4, 4))]
