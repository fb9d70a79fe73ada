"""ETA-I: error-tolerant adder, type I."""

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


@adders.register("eta1")
@final
@dataclass(frozen=True, kw_only=True)
class ErrorTolerantOne(Adder):
    """Adder whose lowest `low` bits are added from the left without carries.

    Where both operands first have a 1, that bit and all below become 1. The upper part is exact and gets no carry.

    low: 0..width. width: bits of the operands.

    Error: one-sided, never above exact, mean -(2**low - 0.75**low) / 5.

    Reference: N. Zhu, W. L. Goh, W. Zhang, K. S. Yeo, Z. H. Kong, "Design of low-power high-speed truncation-error-tolerant adder and its
    application in digital signal processing", IEEE TVLSI 18(8), 2010, doi:10.1109/TVLSI.2009.2020591
    """

    low: int = principal(4)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width, a lower part within them."""
        require_equal_width(self, "its bits are added pairwise")
        require_range("low", self.low, 0, self.width[0], bound="0..width")

    def sum(self, a: Integers, b: Integers) -> Integers:
        """XOR above the first pair of ones, ones from there on."""
        mask = (1 << self.low) - 1
        ones, reach = a & b & mask, 1
        while reach < self.low:
            ones = ones | ones >> reach
            reach *= 2
        return (a >> self.low) + (b >> self.low) << self.low | (a ^ b) & mask | ones

    def bit_rule(self) -> BitRule:
        """A lower part that saturates."""
        return BitRule(kind="saturated", low=self.low)

    def golden(self) -> Golden:
        """Closed forms of the lower part; they do not depend on the width."""
        k = self.low
        mean = (2**k - 0.75**k) / 5
        return Golden(error_probability=1 - 0.75**k, mae=mean, mean_error=-mean, wce=2**k - 1, source="docs/derivations/loa.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """XOR, and OR with a chain of the pairs of ones above; a ripple adder for the upper part."""
        ones, out = ZERO, list[int]()
        for p, q in zip(reversed(x[: self.low]), reversed(y[: self.low]), strict=True):
            ones = b.or_(ones, b.and_(p, q))
            out.insert(0, b.or_(b.xor_(p, q), ones))
        return (*out, *ripple(b, x[self.low :], y[self.low :]))

    def gates(self) -> GateCount:
        """XOR, AND and OR a lower bit, and the chain of ORs that tells the bits below."""
        lower = GateCount(xor2=self.low, and2=self.low, or2=max(2 * self.low - 1, 0), levels=1 + self.low if self.low else 0)
        return lower + ripple_adder(self.width[0] - self.low)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Short and long lower parts, another width."""
        return [*(cls(low=k) for k in (0, 1, 2, 4, 7)), cls(low=3, width=(4, 4))]
