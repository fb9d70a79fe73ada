"""ACA: almost correct adder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from inexact.core.errors import require_range
from inexact.units._base import adders, principal, require_equal_width
from inexact.units._segments import SegmentedAdder, Segments


@adders.register("aca")
@final
@dataclass(frozen=True, kw_only=True)
class AlmostCorrect(SegmentedAdder):
    """Adder whose every sum bit sees `window` bits: its own and the window - 1 below, whose carry starts at 0; so does the carry out.

    window: 1..width. width: bits of the operands.
    Error: one-sided, never above exact; rare but large.

    Reference: A. K. Verma, P. Brisk, P. Ienne, "Variable latency speculative addition: a new paradigm for arithmetic circuit design",
    DATE 2008, doi:10.1145/1403375.1403679
    """

    window: int = principal(4)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width, a window within them."""
        require_equal_width(self, "its bits are added pairwise")
        require_range("window", self.window, 1, self.width[0], bound="1..width")

    @property
    def segments(self) -> Segments:
        """As the class says."""
        return Segments(width=self.width[0], step=1, reach=self.window - 1, short_carry=True)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Short and long windows, another width."""
        return [*(cls(window=size) for size in (1, 3, 4, 5, 8)), cls(window=3, width=(4, 4))]
