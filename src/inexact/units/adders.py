"""Adders: exact, lower-part OR, truncated. Unsigned operands of equal width, result with carry out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.core.errors import SpecError, require_range
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

    def golden(self) -> Golden:
        """No error at all."""
        return Golden(error_probability=0, mae=0, mse=0, wce=0, wcre=0, mred=0, mean_error=0, error_rank=0, source="by definition")

    def gates(self) -> GateCount:
        """One half adder, then full adders."""
        return ripple_adder(self.width[0])

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Two widths."""
        return [cls(), cls(width=(4, 4))]


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

    low: int = 4
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


@adders.register("trunc_adder")
@final
@dataclass(frozen=True, kw_only=True)
class TruncatedAdder(Adder):
    """Adder whose lowest `cut` result bits are 0. cut: 0..width. width: bits of the operands.

    Error: one-sided, never above exact, mean 1 - 2**cut; 0 + 0 is exact.

    Reference: H. Jiang, F. J. H. Santiago, H. Mo, L. Liu, J. Han, "Approximate arithmetic circuits: a survey, characterization, and
    recent applications", Proceedings of the IEEE 108(12), 2020, doi:10.1109/JPROC.2020.3006451
    """

    cut: int = 4
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width, a cut within them."""
        require_equal_width(self, "its bits are added pairwise")
        require_range("cut", self.cut, 0, self.width[0], bound="0..width")

    def sum(self, a: Integers, b: Integers) -> Integers:
        """Sum of the upper parts."""
        return ((a >> self.cut) + (b >> self.cut)) << self.cut

    def golden(self) -> Golden:
        """The error is minus the sum of two uniform lower parts."""
        top = 2**self.cut - 1
        return Golden(error_probability=1 - 4.0**-self.cut, mae=top, mean_error=-top, wce=2 * top, source="docs/derivations/loa.md")

    def gates(self) -> GateCount:
        """The upper part's ripple adder."""
        return ripple_adder(self.width[0] - self.cut)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Short and long cuts, another width."""
        return [cls(cut=2), cls(cut=4), cls(cut=2, width=(4, 4))]
