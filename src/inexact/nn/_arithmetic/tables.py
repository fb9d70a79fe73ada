"""Integers under an approximate unit of at most 8-bit operands: its table, looked up, and summed by the rule's accumulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inexact.nn._arithmetic._base import IntegerArithmetic, without_zero_points
from inexact.nn._modes import padding_errors, parts_of
from inexact.nn._tables import coded_table

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation


@final
@dataclass(frozen=True, kw_only=True)
class TableArithmetic(IntegerArithmetic):
    """Weights with modes of their own may need several tables."""

    @property
    def compiles(self) -> bool:
        """Unless sums are formed by an accumulator of their own."""
        return self.rule.sums is None

    def table(self) -> NDArray[np.int32]:
        """The unit's, as the coding has it."""
        return coded_table(self.rule.unit.spec, self.rule.coding, self.rule.format.b_bits)

    def sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """Products through unit and accumulator; what skipped padding would have added is taken off."""
        activations = self.a_patterns(a)
        first, *more = parts_of(part, self.b_patterns(b))
        total = part.table_sums(activations, first.codes, first.table).double()
        for piece in more:
            total += part.table_sums(activations, piece.codes, piece.table)
        total = without_zero_points(part, a, b, total)
        if part.skips_padding:
            total -= part.padding_sums(padding_errors(part, b), a.shape)
        return total
