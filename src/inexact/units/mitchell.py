"""Mitchell's logarithmic multiplier: add piecewise-linear logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ONE, Builder, Wires
from inexact.units._base import Integers, Multiplier, multipliers
from inexact.units._gates import GateCount, barrel_shifter, encoder, leading_one, ripple_adder, total
from inexact.units._log import floor_log2
from inexact.units._wiring import add_fractions, antilogarithm, logarithm


def mitchell_gates(width: tuple[int, int]) -> GateCount:
    """Detectors, encoders, normalising shifters, the logarithms' adder, antilogarithm shifter, zero detection."""
    wa, wb = width
    fraction = max(wa, wb) - 1
    front = total(leading_one(bits).then(encoder(bits)).then(barrel_shifter(bits - 1, bits - 1, keep=bits - 1)) for bits in width)
    adder = ripple_adder(fraction + (max(wa, wb) - 1).bit_length())
    # the sum's mantissa 1.f is shifted left over the whole product and its fraction below the product is cut off
    back = barrel_shifter(fraction + 1, wa + wb - 1, keep=wa + wb)
    zero = GateCount(and2=wa + wb, or2=1, levels=1)
    return front.then(adder).then(back).then(zero)


def mitchell_product(a: Integers, b: Integers) -> Integers:
    """With A = 2**ka, B = 2**kb the sum of logarithms is aB + bA - AB, or 2(aB + bA - 2AB) when x + y >= 1; 0 for a zero operand."""
    leading_a, leading_b = np.int64(1) << floor_log2(a), np.int64(1) << floor_log2(b)
    base = leading_a * leading_b
    linear = a * leading_b + b * leading_a
    result = np.where(linear - 2 * base < base, linear - base, 2 * (linear - 2 * base))
    return np.where((a == 0) | (b == 0), 0, result)


def place_mitchell(b: Builder, x: Wires, y: Wires) -> Wires:
    """Normalisers, one adder of the fractions, a shifter; a carry of the fractions doubles the product."""
    p, q = logarithm(b, x), logarithm(b, y)
    fraction, carry = add_fractions(b, p, q, max(len(x), len(y)) - 1)
    return antilogarithm(b, (*fraction, ONE), p, q, len(x) + len(y), b.not_(carry))


@multipliers.register("mitchell")
@final
@dataclass(frozen=True, kw_only=True)
class Mitchell(Multiplier):
    """Logarithmic multiplier: log2(2**k (1+x)) taken as k + x, added, and taken back the same way; zero operands are detected.

    width: bits of (a, b), unsigned. All fraction bits are kept, so the antilogarithm of an 8-bit pair is an integer.
    Error: one-sided, never above exact; relative error -xy/((1+x)(1+y)) or -(1-x)(1-y)/((1+x)(1+y)), at most 1/9; exact on zero.

    Reference: J. N. Mitchell, "Computer multiplication and division using binary logarithms", IRE Transactions on Electronic
    Computers EC-11(4), 1962, doi:10.1109/TEC.1962.5219391
    """

    width: tuple[int, int] = (8, 8)

    def product(self, a: Integers, b: Integers) -> Integers:
        """See `mitchell_product`."""
        return mitchell_product(a, b)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """See `place_mitchell`."""
        return place_mitchell(b, x, y)

    def gates(self) -> GateCount:
        """See `mitchell_gates`."""
        return mitchell_gates(self.width)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Equal, unequal and odd widths."""
        return [cls(), cls(width=(8, 4)), cls(width=(4, 4)), cls(width=(7, 7))]
