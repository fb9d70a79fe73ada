"""Exact multiplier: the reference all others are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import Builder, Wires
from inexact.circuits.multipliers import multiply
from inexact.units._base import Golden, Integers, Multiplier, multipliers
from inexact.units._gates import GateCount, array_gates


@multipliers.register("exact")
@final
@dataclass(frozen=True, kw_only=True)
class Exact(Multiplier):
    """Exact multiplier: partial products, Dadda tree, ripple-carry adder. No error.

    signed: two's complement operands (modified Baugh-Wooley). width: bits of (a, b).

    Reference: C. R. Baugh, B. A. Wooley, "A two's complement parallel array multiplication algorithm", IEEE Transactions on
    Computers C-22(12), 1973, doi:10.1109/T-C.1973.223648
    """

    signed: bool = False
    width: tuple[int, int] = (8, 8)

    def product(self, a: Integers, b: Integers) -> Integers:
        """a * b."""
        return a * b

    def golden(self) -> Golden:
        """No error at all."""
        return Golden(error_probability=0, mae=0, mse=0, wce=0, wcre=0, mred=0, mean_error=0, error_rank=0, source="by definition")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """All cells, in a Dadda tree."""
        return multiply(b, x, y, signed=self.signed, kind="dadda")

    def gates(self) -> GateCount:
        """All partial-product cells."""
        return array_gates(np.ones(self.width, dtype=bool), signed=self.signed)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Both codings; equal, unequal and odd widths."""
        return [cls(), cls(signed=True), cls(width=(8, 4)), cls(width=(4, 4)), cls(width=(7, 7)), cls(signed=True, width=(4, 6))]
