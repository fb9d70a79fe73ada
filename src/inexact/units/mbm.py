"""MBM: Mitchell's multiplier with its mean error added back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ONE, ZERO, Builder, Wires
from inexact.circuits.words import mux_word
from inexact.units._base import Integers, Multiplier, multipliers
from inexact.units._gates import GateCount, ripple_adder
from inexact.units._log import floor_log2
from inexact.units._wiring import add, add_fractions, antilogarithm, logarithm
from inexact.units.mitchell import mitchell_gates, mitchell_product


@multipliers.register("mbm")
@final
@dataclass(frozen=True, kw_only=True)
class MinimallyBiased(Multiplier):
    """Minimally biased logarithmic multiplier: Mitchell plus c = 5/64 in the mantissa (c/2 when the mantissas' sum carries), floored.

    Both corrections are the same addend, floor(5/64 * 2**(ka+kb)). width: bits of (a, b), unsigned.
    Error: two-sided, nearly unbiased; exact on zero. The largest products exceed wa+wb bits slightly; nothing is saturated.

    Reference: H. Saadat, H. Bokhari, S. Parameswaran, "Minimally biased multipliers for approximate integer and floating-point
    multiplication", IEEE TCAD 37(11), 2018
    """

    width: tuple[int, int] = (8, 8)

    def product(self, a: Integers, b: Integers) -> Integers:
        """Mitchell's product and the correction, zero for a zero operand."""
        base = np.int64(1) << (floor_log2(a) + floor_log2(b))
        return np.where((a == 0) | (b == 0), 0, mitchell_product(a, b) + (5 * base >> 6))

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Mitchell's mantissa, the constant added before the shifter."""
        p, q = logarithm(b, x), logarithm(b, y)
        bits = max(max(self.width) - 1, 6)
        fraction, carry = add_fractions(b, p, q, bits)
        mantissa = mux_word(b, carry, (*fraction, ONE), (ZERO, *fraction, ONE))
        return antilogarithm(b, add(b, mantissa, b.constant(5 << (bits - 6), bits + 2)), p, q, sum(self.width) + 1)

    def gates(self) -> GateCount:
        """Mitchell, and an adder of the correction to the sum of the fractions."""
        return mitchell_gates(self.width).then(ripple_adder(max(self.width) - 1))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Equal, unequal and odd widths."""
        return [cls(), cls(width=(8, 4)), cls(width=(4, 4)), cls(width=(7, 7))]
