"""CSD weights: only the leading signed digits of a weight are multiplied."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Wires
from inexact.circuits.logic import MAX_INPUTS
from inexact.circuits.words import encode, leading_one, or_tree
from inexact.core.errors import require_range
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, barrel_shifter, ripple_adder, total
from inexact.units._weights import Power, Term, magnitude, place_powers, place_terms
from inexact.units._wiring import add


@multipliers.register("csd")
@final
@dataclass(frozen=True, kw_only=True)
class SignedDigits(Multiplier):
    """`a * r(b)`: of the weight's canonical signed digits (no two neighbours non-zero) the `digits` most significant are kept.

    digits: non-zero digits kept, 1..floor(wb/2)+1; a weight of that many is exact. signed: two's complement. width: bits of (a, b).
    Error: a times what is left of b, below a third of the last kept digit: two-sided, rank 1; exact on zero. Weights are recoded
    before they are stored, and best retrained so; the product of a stored weight is exact.

    Reference: M. Riaz, R. Hafiz, S. A. Khaliq, M. Faisal, H. T. Iqbal, M. Ali, M. Shafique, "CAxCNN: towards the use of canonic sign
    digit based approximation for hardware-friendly convolutional neural networks", IEEE Access 8, 2020
    """

    widest: ClassVar[int] = 16  # a table of the weight's codes

    digits: int = principal(2)
    signed: bool = False
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """As many digits as a weight can have."""
        require_range("digits", self.digits, 1, self.width[1] // 2 + 1, bound="1..bits of b / 2 + 1, the digits of a weight")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Activation times the weight's leading digits."""
        return a * leading_digits(b, self.digits)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The recoding of the weight, a shifter and a sign per digit, one sum. Above 8 bits the recoding is an adder and detectors."""
        if len(y) > MAX_INPUTS:
            return place_powers(b, x, self._recoded(b, y), len(x) + len(y) + 1, signed=self.signed)
        kept = [leading_digits(self.operand_values(1), count) for count in range(self.digits + 1)]
        terms = [Term(after - before) for before, after in itertools.pairwise(kept)]
        return place_terms(b, x, y, terms, signed=self.signed)

    def _recoded(self, b: Builder, y: Wires) -> list[Power]:
        size, sign = magnitude(b, y, signed=self.signed)
        half = (*size[1:], ZERO, ZERO)
        summed = add(b, size, half)[: len(half)]
        minus = [b.and_(low, b.not_(high)) for low, high in zip(half, summed, strict=True)]
        rest = [b.or_(b.and_(high, b.not_(low)), below) for low, high, below in zip(half, summed, minus, strict=True)]
        powers = []
        for _ in range(self.digits):
            lines = leading_one(b, rest)
            negative = or_tree(b, [b.and_(line, below) for line, below in zip(lines, minus, strict=True)])
            powers.append(Power(encode(b, lines), b.and_(b.xor_(negative, sign), or_tree(b, lines)), or_tree(b, lines)))
            rest = [b.and_(wire, b.not_(line)) for wire, line in zip(rest, lines, strict=True)]
        return powers

    def gates(self) -> GateCount:
        """Per digit a shifter of the activation and a sign, adders that join them; the weight is stored recoded."""
        term = barrel_shifter(self.width[0], self.width[1]) + GateCount(xor2=sum(self.width), levels=2)
        return total(term for _ in range(self.digits)).then(total(ripple_adder(sum(self.width)) for _ in range(self.digits - 1)))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """One to four digits, signed, other widths."""
        counts = [cls(digits=n) for n in (1, 2, 3, 4)]
        return [*counts, cls(signed=True), cls(width=(8, 4)), cls(digits=1, width=(4, 4)), cls(signed=True, width=(7, 7))]


def leading_digits(x: Integers, count: int) -> Integers:
    """The value of the `count` most significant non-zero digits of x's canonical signed digit form."""
    # positions of +1: bits of 3x above those of x; of -1 the reverse (Prodinger): both words from one subtraction and one XOR
    size = np.abs(x)
    half = size >> 1
    plus, minus = (size + half) & ~half, half & ~(size + half)
    found = np.zeros_like(size)
    rest = plus | minus
    for _ in range(count):
        top = np.where(rest == 0, 0, np.int64(1) << _leading(rest))
        found = found + np.where(plus & top, top, 0) - np.where(minus & top, top, 0)
        rest = rest & ~top
    return np.where(x < 0, -found, found)


def _leading(x: Integers) -> Integers:
    return np.asarray(np.maximum(np.frexp(x.astype(np.float64))[1] - 1, 0), dtype=np.int64)
