"""LOA: lower-part OR adder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Wires
from inexact.circuits.adders import ripple
from inexact.core.accumulation import BitRule
from inexact.core.errors import SpecError, require_range
from inexact.units._base import Adder, Golden, Integers, adders, principal, require_equal_width
from inexact.units._gates import GateCount, ripple_adder


@adders.register("loa")
@final
@dataclass(frozen=True, kw_only=True)
class LowerPartOr(Adder):
    """Lower-part OR adder: the lowest `low` bits are ORed, the upper part is exact.

    low: bits of the lower part, 0..width. carry: whether the AND of the lower parts' top bits is carried into the upper part.
    width: bits of the operands.
    Error: with carry two-sided, mean +1/4 for every low >= 2, at most 2**(low-1); without carry never above exact.

    Reference: H. R. Mahdiani, A. Ahmadi, S. M. Fakhraie, C. Lucas, "Bio-inspired imprecise computational blocks for efficient VLSI
    implementation of soft-computing applications", IEEE TCAS-I 57(4), 2010, doi:10.1109/TCSI.2009.2027626
    """

    low: int = principal(4)
    carry: bool = True
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width, a lower part within them."""
        require_equal_width(self, "its bits are added pairwise")
        require_range("low", self.low, 0, self.width[0], bound="0..width")
        if not isinstance(self.carry, bool):
            raise SpecError(f"carry must be true or false, not {self.carry!r}")

    def sum(self, a: Integers, b: Integers) -> Integers:
        """OR below, sum above."""
        if self.low == 0:
            return a + b
        carried = (a & b) >> (self.low - 1) & 1 if self.carry else np.zeros_like(a)
        lower = (a | b) & ((1 << self.low) - 1)
        return ((a >> self.low) + (b >> self.low) + carried << self.low) | lower

    def bit_rule(self) -> BitRule:
        """A lower part by OR."""
        return BitRule(kind="lower_or_carry" if self.carry else "lower_or", low=self.low)

    def golden(self) -> Golden | None:
        """Closed forms of the lower part; they do not depend on the width."""
        k = self.low
        if k == 0:
            return Golden(error_probability=0, mae=0, wce=0, mean_error=0, source="by definition")
        wrong, source = 1 - 0.75**k, "docs/derivations/loa.md"
        if self.carry:
            # with low = 1 the OR of two ones carries as well: 1 + 1 becomes 3
            wce, mae = 2 ** (k - 1), (3 * 2 ** (k - 1) - 1) / 8
            return Golden(error_probability=wrong, mae=mae, wce=wce, mean_error=0.25, source=source)
        return Golden(error_probability=wrong, mae=(2**k - 1) / 4, mean_error=-(2**k - 1) / 4, wce=2**k - 1, source=source)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """ORs below, a ripple adder above."""
        low = self.low
        carry = b.and_(x[low - 1], y[low - 1]) if low and self.carry else ZERO
        return (*(b.or_(p, q) for p, q in zip(x[:low], y[:low], strict=True)), *ripple(b, x[low:], y[low:], carry))

    def gates(self) -> GateCount:
        """ORs, one AND for the carry, full adders above (the first is a half adder without a carry)."""
        upper = self.width[0] - self.low
        if self.low and self.carry:
            return GateCount(or2=self.low, and2=1, full_adder=upper, levels=1 + 2 * upper)
        return GateCount(or2=self.low, levels=min(self.low, 1)) + ripple_adder(upper)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Short and long lower parts, with and without carry, another width."""
        return [*(cls(low=k) for k in (1, 2, 3, 4, 5)), *(cls(low=k, carry=False) for k in (2, 4)), cls(low=2, width=(4, 4))]
