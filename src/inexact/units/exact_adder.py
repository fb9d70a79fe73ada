"""Exact adder: the reference the others are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from inexact.circuits import Builder, Wires
from inexact.circuits.adders import ripple
from inexact.core.accumulation import BitRule
from inexact.units._base import Adder, Golden, Integers, adders, require_equal_width
from inexact.units._gates import GateCount, ripple_adder


@adders.register("exact_adder")
@final
@dataclass(frozen=True, kw_only=True)
class ExactAdder(Adder):
    """Exact ripple-carry adder. No error. width: bits of the operands.

    Reference: N. H. E. Weste, D. M. Harris, "CMOS VLSI Design: A Circuits and Systems Perspective", 4th ed., 2011, section 11.2
    """

    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width."""
        require_equal_width(self, "its bits are added pairwise")

    def sum(self, a: Integers, b: Integers) -> Integers:
        """a + b."""
        return a + b

    def bit_rule(self) -> BitRule:
        """The exact sum."""
        return BitRule()

    def golden(self) -> Golden:
        """No error at all."""
        return Golden(error_probability=0, mae=0, mse=0, wce=0, wcre=0, mred=0, mean_error=0, error_rank=0, source="by definition")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The ripple adder."""
        return ripple(b, x, y)

    def gates(self) -> GateCount:
        """One half adder, then full adders."""
        return ripple_adder(self.width[0])

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Two widths."""
        return [cls(), cls(width=(4, 4))]
