"""Copy adder: the lower result bits are the second operand's."""

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


@adders.register("copy_adder")
@final
@dataclass(frozen=True, kw_only=True)
class CopyAdder(Adder):
    """Adder whose lowest `low` cells are wires (approximate mirror adder 5): sum = b, carry = a.

    So the low bits are b's, and the top one of a's is carried into the exact upper part. low: 0..width. width: bits of the operands.

    Error: two-sided, mean +1/2 for every low >= 1, at most 2**(low-1). Not commutative.

    Reference: V. Gupta, D. Mohapatra, A. Raghunathan, K. Roy, "Low-power digital signal processing using approximate adders", IEEE TCAD
    32(1), 2013, doi:10.1109/TCAD.2012.2217962
    """

    low: int = principal(4)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width, a lower part within them."""
        require_equal_width(self, "its bits are added pairwise")
        require_range("low", self.low, 0, self.width[0], bound="0..width")

    def sum(self, a: Integers, b: Integers) -> Integers:
        """b below, the sum of the upper parts and a's bit above."""
        if self.low == 0:
            return a + b
        carried = a >> (self.low - 1) & 1
        upper: Integers = (a >> self.low) + (b >> self.low) + carried << self.low
        return upper | b & (1 << self.low) - 1

    def bit_rule(self) -> BitRule:
        """A lower part that is copied."""
        return BitRule(kind="copied", low=self.low)

    def golden(self) -> Golden:
        """Closed forms of the lower part; they do not depend on the width."""
        k, source = self.low, "docs/derivations/loa.md"
        if k == 0:
            return Golden(error_probability=0, mae=0, wce=0, mean_error=0, source=source)
        return Golden(error_probability=1 - 2.0**-k, mae=2.0 ** (k - 2), mean_error=0.5, wce=2 ** (k - 1), source=source)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Wires below, a ripple adder above."""
        low = self.low
        return (*y[:low], *ripple(b, x[low:], y[low:], x[low - 1] if low else ZERO))

    def gates(self) -> GateCount:
        """Full adders above (the first has a carry in); the lower part is wires."""
        upper = self.width[0] - self.low
        return GateCount(full_adder=upper, levels=2 * upper) if self.low else ripple_adder(upper)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Short and long lower parts, another width."""
        return [*(cls(low=k) for k in (0, 1, 2, 4, 8)), cls(low=2, width=(4, 4))]
