"""GeAr: generic accuracy-configurable adder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from inexact.core.errors import require_range
from inexact.units._base import adders, principal, require_equal_width
from inexact.units._segments import SegmentedAdder, Segments


@adders.register("gear")
@final
@dataclass(frozen=True, kw_only=True)
class GenericAccuracyConfigurable(SegmentedAdder):
    """Overlapping sub-adders of r + p bits, each started without carry, of which all but the first give their `r` upper bits.

    r: result bits of a sub-adder, 1..width. p: bits below them from which their carry is predicted, 0..width - r. Where r does not divide
    width - r - p, the top sub-adder is shorter. width: bits of the operands.
    Error: one-sided, never above exact; rare but large.

    Reference: M. Shafique, W. Ahmad, R. Hafiz, J. Henkel, "A low latency generic accuracy configurable adder", DAC 2015,
    doi:10.1145/2744769.2744778
    """

    r: int = principal(2)
    p: int = principal(2)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width, a sub-adder within them."""
        require_equal_width(self, "its bits are added pairwise")
        require_range("r", self.r, 1, self.width[0], bound="1..width")
        require_range("p", self.p, 0, self.width[0] - self.r, bound="0..width-r")

    @property
    def segments(self) -> Segments:
        """As the class says."""
        return Segments(width=self.width[0], step=self.r, reach=self.p)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Prediction shorter, as long and longer than the result, none, and widths that r does not divide."""
        pairs = ((1, 3), (2, 2), (2, 4), (4, 2), (3, 0), (3, 2))
        return [*(cls(r=r, p=p) for r, p in pairs), cls(r=1, p=2, width=(4, 4))]
