"""Operand truncation: the lowest bits of each operand are not wired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Wires
from inexact.circuits.multipliers import multiply
from inexact.core.errors import require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, array_gates


@multipliers.register("operand_trunc")
@final
@dataclass(frozen=True, kw_only=True)
class OperandTruncated(Multiplier):
    """Exact product of operands whose lowest bits are cleared: `((a >> cut_a) << cut_a) * ((b >> cut_b) << cut_b)`.

    cut_a, cut_b: bits cleared in a and b, 0..bits-1 (both 0 = exact). signed: two's complement, cleared towards minus infinity.
    width: bits of (a, b).
    Error: unsigned one-sided, never above exact, exact on zero; signed small operands -2**cut..-1 become -2**cut.

    Reference: S. Hashemi, R. I. Bahar, S. Reda, "DRUM", ICCAD 2015, doi:10.1109/ICCAD.2015.7372600 (as the usual baseline)
    """

    cut_a: int = principal(2)
    cut_b: int = principal(2)
    signed: bool = False
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """At least one bit of each operand is left."""
        require_range("cut_a", self.cut_a, 0, self.width[0] - 1, bound="0..bits of a - 1")
        require_range("cut_b", self.cut_b, 0, self.width[1] - 1, bound="0..bits of b - 1")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Product of the shortened operands."""
        return ((a >> self.cut_a) << self.cut_a) * ((b >> self.cut_b) << self.cut_b)

    def golden(self) -> Golden:
        """Expected operands are independent, so the mean error is a difference of two products of means."""
        means = [0.0 if self.signed else 2.0 ** (bits - 1) for bits in self.width]
        exact = [mean - 0.5 for mean in means]
        short = [mean - 2.0 ** (cut - 1) for mean, cut in zip(means, (self.cut_a, self.cut_b), strict=True)]
        mean_error = short[0] * short[1] - exact[0] * exact[1]
        rank = int(self.cut_a > 0) + int(self.cut_b > 0)
        source = "docs/derivations/cells.md"
        if self.signed:
            return Golden(mean_error=mean_error, error_rank=rank, source=source)
        top = [(1 << bits) - 1 for bits in self.width]
        wce = top[0] * top[1] - (top[0] >> self.cut_a << self.cut_a) * (top[1] >> self.cut_b << self.cut_b)
        return Golden(mean_error=mean_error, mae=-mean_error, wce=wce, error_rank=rank, source=source)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The array of the bits that are left, above zeros."""
        product = multiply(b, x[self.cut_a :], y[self.cut_b :], signed=self.signed, kind="dadda")
        return (*[ZERO] * (self.cut_a + self.cut_b), *product)

    def gates(self) -> GateCount:
        """The array of the bits that are left."""
        return array_gates(np.ones((self.width[0] - self.cut_a, self.width[1] - self.cut_b), dtype=bool), signed=self.signed)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Both operands, one operand, signed, other widths."""
        both = [cls(cut_a=c, cut_b=c) for c in (1, 2, 3, 4)]
        one = [cls(cut_a=0, cut_b=3), cls(cut_a=3, cut_b=0), cls(cut_a=2, cut_b=1, signed=True)]
        return [*both, *one, cls(cut_b=1, width=(8, 4)), cls(cut_a=1, cut_b=1, width=(4, 4)), cls(width=(7, 7))]
