"""Integers under an exact unit: ordinary float products where a bound proves that nothing is rounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inexact.nn._arithmetic._base import IntegerArithmetic
from inexact.nn._tables import NO_TABLE, coded_table

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation


@final
@dataclass(frozen=True, kw_only=True)
class ExactArithmetic(IntegerArithmetic):
    """window: products of one sum, which says whether the compiled layer can look them up; None, it cannot."""

    window: int | None

    @property
    def compiles(self) -> bool:
        """Whether exact products have a table, and the int32 sums of its entries cannot overflow."""
        a_bits, b_bits = self.rule.format.a_bits, self.rule.format.b_bits
        return self.window is not None and max(a_bits, b_bits) <= 8 and self.window * 2 ** (a_bits + b_bits) < 2**31

    def table(self) -> NDArray[np.int32]:
        """Exact products, for the compiled layer."""
        return coded_table(self.rule.unit.spec, self.rule.coding, self.rule.format.b_bits) if self.compiles else NO_TABLE

    def sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """Exact."""
        return part.exact_sums(a, b)
