"""ETA-II: error-tolerant adder, type II."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from inexact.core.errors import require_range
from inexact.units._base import adders, principal, require_equal_width
from inexact.units._segments import SegmentedAdder, Segments


@adders.register("eta2")
@final
@dataclass(frozen=True, kw_only=True)
class ErrorTolerantTwo(SegmentedAdder):
    """Adder in blocks of `block` bits: the carry into a block is that of the block below alone.

    block: 1..width. width: bits of the operands.

    Error: one-sided, never above exact; rare but large.

    Reference: N. Zhu, W. L. Goh, K. S. Yeo, "An enhanced low-power high-speed adder for error-tolerant application", Proc. 12th
    International Symposium on Integrated Circuits (ISIC), 2009, pp. 69-72
    """

    block: int = principal(2)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Operands of equal width, blocks within them."""
        require_equal_width(self, "its bits are added pairwise")
        require_range("block", self.block, 1, self.width[0], bound="1..width")

    @property
    def segments(self) -> Segments:
        """As the class says."""
        return Segments(width=self.width[0], step=self.block, reach=self.block)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Blocks that divide the width and blocks that do not."""
        return [*(cls(block=size) for size in (1, 2, 3, 4)), cls(block=2, width=(5, 5))]
