"""GeAr: generic accuracy-configurable adder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from inexact.circuits import Builder, Wires
from inexact.core.accumulation import BitRule
from inexact.core.errors import require_range
from inexact.units._base import Adder, Golden, Integers, adders, principal, require_equal_width
from inexact.units._gates import GateCount
from inexact.units._segments import Segments


@adders.register("gear")
@final
@dataclass(frozen=True, kw_only=True)
class GenericAccuracyConfigurable(Adder):
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
    def _segments(self) -> Segments:
        return Segments(width=self.width[0], step=self.r, reach=self.p)

    def sum(self, a: Integers, b: Integers) -> Integers:
        """Every r bits from their sub-adder."""
        return self._segments.sum(a, b)

    def bit_rule(self) -> BitRule:
        """Segments of r bits that look p bits back."""
        return BitRule(kind="segmented", step=self.r, reach=self.p)

    def golden(self) -> Golden:
        """Closed forms of speculated carries."""
        return self._segments.golden()

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """A chain and a sum per segment."""
        return self._segments.place(b, x, y)

    def gates(self) -> GateCount:
        """The sub-adders; of the prediction bits only the carry."""
        return self._segments.gates()

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Prediction shorter, as long and longer than the result, none, and widths that r does not divide."""
        pairs = ((1, 3), (2, 2), (2, 4), (4, 2), (3, 0), (3, 2))
        return [*(cls(r=r, p=p) for r, p in pairs), cls(r=1, p=2, width=(4, 4))]
