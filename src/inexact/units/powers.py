"""Power-of-two weights: a weight is a sum of few signed powers of two, found greedily."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np

from inexact.circuits import ONE, ZERO, Builder, Wires
from inexact.circuits.logic import MAX_INPUTS
from inexact.circuits.words import encode, extend, leading_one, mux_word, or_tree
from inexact.core.errors import require_range
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, barrel_shifter, ripple_adder, total
from inexact.units._log import floor_log2
from inexact.units._weights import Power, Term, magnitude, place_powers, place_terms
from inexact.units._wiring import add


@multipliers.register("powers")
@final
@dataclass(frozen=True, kw_only=True)
class PowersOfTwo(Multiplier):
    """`a * r(b)`: r(b) is a sum of `terms` signed powers of two, each the one nearest to what the earlier ones left.

    terms: powers, 1..wb; nearest: a tie (3 * 2**k, halfway between 2**(k+1) and 2**(k+2)) takes the smaller, 1 stays 1, and a rest
    of 0 takes none. signed: two's complement. width: bits of (a, b).
    Error: a times the rounding of b: rank 1, relative at most 3**-terms; exact on zero, on powers of two, and whenever b is the sum.

    Reference: D. A. Gudovskiy, L. Rigazio, "ShiftCNN: generalized low-precision architecture for inference of convolutional neural
    networks", 2017, doi:10.48550/arXiv.1706.02393
    """

    widest: ClassVar[int] = 16  # a table of the weight's codes

    terms: int = principal(1)
    signed: bool = False
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """At least one, at most one per bit."""
        require_range("terms", self.terms, 1, self.width[1], bound="1..bits of b")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Activation times the sum of powers."""
        rest = b
        for _ in range(self.terms):
            rest = rest - nearest_signed_power(rest)
        return a * (b - rest)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The recoding of the weight, a shifter and a sign per term, one sum. Above 8 bits the recoding is detectors and subtractors."""
        if len(y) > MAX_INPUTS:
            return place_powers(b, x, self._recoded(b, y), len(x) + len(y) + 1, signed=self.signed)
        rest, terms = self.operand_values(1), []
        for _ in range(self.terms):
            terms.append(Term(nearest_signed_power(rest)))
            rest = rest - terms[-1].values
        return place_terms(b, x, y, terms, signed=self.signed)

    def _recoded(self, b: Builder, y: Wires) -> list[Power]:
        size, sign = magnitude(b, y, signed=self.signed)
        powers = []
        for _ in range(self.terms):
            lines, present = leading_one(b, size), or_tree(b, size)
            # up: above one and a half times the leading one, its neighbour and some bit below are 1
            below = [ZERO, ZERO, *(or_tree(b, size[:place]) for place in range(1, len(size) - 1))]
            up = or_tree(b, [b.and_(line, b.and_(size[k - 1], below[k])) for k, line in enumerate(lines) if k > 1])
            powers.append(Power(add(b, encode(b, lines), (up,)), b.and_(sign, present), present))
            power = mux_word(b, up, lines, (ZERO, *lines))
            left = add(b, (*size, ZERO), [b.not_(wire) for wire in extend(power, len(size) + 1)], ONE)[: len(size)]
            size = add(b, [b.xor_(wire, up) for wire in left], (ZERO,), up)[: len(size)]
            sign = b.xor_(sign, up)
        return powers

    def gates(self) -> GateCount:
        """Per term a shifter of the activation and a sign, adders that join them; the weight is stored as exponents and signs."""
        term = barrel_shifter(self.width[0], self.width[1]) + GateCount(xor2=sum(self.width), levels=2)
        return total(term for _ in range(self.terms)).then(total(ripple_adder(sum(self.width)) for _ in range(self.terms - 1)))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """One to three terms, signed, other widths."""
        counts = [cls(terms=n) for n in (1, 2, 3)]
        return [*counts, cls(terms=2, signed=True), cls(width=(8, 4)), cls(width=(4, 4)), cls(terms=2, signed=True, width=(7, 7))]


def nearest_signed_power(x: Integers) -> Integers:
    """The signed power of two nearest to x, ties to the smaller magnitude; 0 for 0."""
    size = np.abs(x)
    leading = np.int64(1) << floor_log2(size)
    power = np.where(2 * size > 3 * leading, 2 * leading, leading)
    return np.where(x == 0, 0, np.where(x < 0, -power, power))
