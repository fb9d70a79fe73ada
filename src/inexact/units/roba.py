"""RoBA: multiply by operands rounded to the nearest power of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Wires, words
from inexact.circuits.adders import subtract
from inexact.units._base import Integers, Multiplier, multipliers
from inexact.units._gates import GateCount, barrel_shifter, encoder, leading_one, ripple_adder, subtractor
from inexact.units._log import floor_log2
from inexact.units._wiring import add


@multipliers.register("roba")
@final
@dataclass(frozen=True, kw_only=True)
class Roba(Multiplier):
    """Rounding-based multiplier: `ar*b + a*br - ar*br`, ar and br the nearest powers of two (ties up, but 3 becomes 2; 0 stays 0).

    width: bits of (a, b), unsigned.
    Error: -(a-ar)(b-br), two-sided, nearly unbiased, relative error at most 1/9; rank 1; exact on zero and powers of two.

    Reference: R. Zendegani, M. Kamal, M. Bahadori, A. Afzali-Kusha, M. Pedram, "RoBA multiplier: a rounding-based approximate
    multiplier for high-speed yet energy-efficient digital signal processing", IEEE TVLSI 25(2), 2017, doi:10.1109/TVLSI.2016.2587696
    """

    width: tuple[int, int] = (8, 8)

    def product(self, a: Integers, b: Integers) -> Integers:
        """Three shifts, one addition, one subtraction."""
        rounded_a, rounded_b = nearest_power(a), nearest_power(b)
        return np.asarray(rounded_a * b + a * rounded_b - rounded_a * rounded_b, dtype=np.int64)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Rounding lines, three shifters, adder and subtractor."""
        width = sum(self.width)
        lines = [_rounded(b, word) for word in (x, y)]
        power = [words.encode(b, line) for line in lines]
        some = [words.or_tree(b, word) for word in (x, y)]
        both = words.shift_left(b, (b.and_(*some),), add(b, power[0], power[1]), width=width)
        products = [words.shift_left(b, words.and_word(b, word, some[1 - i]), power[1 - i], width=width) for i, word in enumerate((x, y))]
        return subtract(b, add(b, products[0], products[1])[:width], both)[:width]

    def gates(self) -> GateCount:
        """Per operand detector, rounding lines, encoder, shifter; the shifter of ar*br; adder and subtractor over the product."""
        front, bits_out = GateCount(), sum(self.width)
        for bits, other in zip(self.width, reversed(self.width), strict=True):
            rounding = GateCount(and2=2 * bits, or2=bits, inv=bits, levels=2)
            front = front + leading_one(bits).then(rounding).then(encoder(bits + 1)).then(barrel_shifter(other, bits))
        front = front + barrel_shifter(self.width[0] + 1, self.width[1])
        return front.then(ripple_adder(bits_out)).then(subtractor(bits_out))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Equal, unequal and odd widths."""
        return [cls(), cls(width=(8, 4)), cls(width=(4, 4)), cls(width=(7, 7))]


def nearest_power(x: Integers) -> Integers:
    """The power of two nearest to x >= 0; ties (1.5 * 2**k) go up except 3 -> 2; 0 stays 0."""
    leading = np.int64(1) << floor_log2(x)
    up = (2 * x >= 3 * leading) & (x != 3) & (x > 1)
    return np.where(x == 0, 0, np.where(up, 2 * leading, leading))


def _rounded(b: Builder, x: Wires) -> Wires:
    """One-hot: the nearest power of two, one line more than x has bits."""
    lines = words.leading_one(b, x)
    # from bit 2 on, the bit below the leading one decides
    up = [b.and_(line, x[place - 1]) if place >= 2 else ZERO for place, line in enumerate(lines)]
    stays = [b.and_(line, b.not_(x[place - 1])) if place >= 2 else line for place, line in enumerate(lines)]
    return tuple(b.or_(low, high) for low, high in zip((*stays, ZERO), (ZERO, *up), strict=True))
