"""Multiplication in a logarithmic number system: logarithms are added, and the sum is looked up in a short table of powers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Wires
from inexact.circuits.logic import synthesize
from inexact.circuits.words import mux_word
from inexact.core.errors import require_range
from inexact.units._base import Integers
from inexact.units._float import FloatMultiplier, Reals, float_multipliers
from inexact.units._wiring import add


@float_multipliers.register("log_addition")
@final
@dataclass(frozen=True, kw_only=True)
class LogAddition(FloatMultiplier):
    """The product of 2**x and 2**y is 2**(x+y): whole parts shift, the broken part is looked up in a table of powers of two.

    format: of the operands, "lns8". powers: bits behind the point of the table's entries, 1..16, rounded to nearest, ties to even.
    Error: two-sided, at most 2**-(powers+1) of the power below; the product leaves the logarithmic domain, so that sums are fixed point.

    Reference: J. Zhao et al., LNS-Madam: low-precision training in logarithmic number system using multiplicative weight update, IEEE
    Transactions on Computers 71(12), 2022, arXiv:2106.13914 (quotient shifts, remainder is looked up)
    """

    multiplies: ClassVar[bool] = False

    format: str = field(default="lns8", metadata={"written": True})
    powers: int = 8

    def check(self) -> None:
        """The table's width."""
        require_range("powers", self.powers, 1, 16)

    def significand(self, x: Integers, y: Integers) -> Reals:
        """One addition and the table."""
        steps = 1 << self.layout.fraction_bits
        total = np.asarray(x + y)
        entries = np.rint(np.exp2(np.arange(steps) / steps) * 2.0**self.powers) / 2.0**self.powers
        return np.asarray(np.ldexp(entries[total % steps], (total // steps).astype(np.int32)))

    @property
    def point(self) -> int:
        """Of the table's entries."""
        return self.powers

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """An adder, the table, and a shift by one place."""
        *fraction, carry = add(b, x, y)
        entries = self.significand(np.arange(1 << len(fraction)), np.array(0)) * 2.0**self.powers
        rows = [[int(entry) >> bit & 1 for entry in entries] for bit in range(self.powers + 2)]
        found = synthesize(b, rows, fraction)
        return mux_word(b, carry, found, (ZERO, *found))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """A long and a short table."""
        return [cls(), cls(powers=4), cls(powers=1)]
