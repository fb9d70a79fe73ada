"""Integers too wide for a table: every product by the unit's netlist or function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inexact.nn._arithmetic._base import IntegerArithmetic, without_zero_points
from inexact.nn._modes import padding_errors
from inexact.nn._tables import NO_TABLE
from inexact.nn._wide import wide_sums

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation


@final
@dataclass(frozen=True, kw_only=True)
class WideArithmetic(IntegerArithmetic):
    """For layers with windows, which `unrolled` gives."""

    @property
    def compiles(self) -> bool:
        """False."""
        return False

    def table(self) -> NDArray[np.int32]:
        """Empty."""
        return NO_TABLE

    def sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """One product at a time; what skipped padding would have added is taken off."""
        total = without_zero_points(part, a, b, wide_sums(part, a, b))
        if part.skips_padding:
            total -= part.padding_sums(padding_errors(part, b), a.shape)
        return total
