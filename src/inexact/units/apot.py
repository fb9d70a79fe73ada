"""Additive powers of two: a weight is stored as the exponents of a few powers, and multiplied by as many shifts and their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Columns, Wires, add_columns, synthesize
from inexact.circuits.columns import add_word
from inexact.circuits.words import and_word, mux_word, or_tree
from inexact.core.errors import SpecError, require_range
from inexact.core.powers import additive_powers
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, barrel_shifter, ripple_adder, total

WIDEST = 8
"""Bits of a weight whose code is looked up where it comes as a binary number."""


@multipliers.register("apot")
@final
@dataclass(frozen=True, kw_only=True)
class AdditivePowers(Multiplier):
    """`a * r(b)`: r(b) is the sum of `terms` powers of two that is nearest to b, each of `2**base_bits - 1` or none; ties to the smaller.

    The levels are those of the format `apot` of the same base_bits and terms: every weight of it is one, and its product exact. Weights
    are stored as exponents: `stored_circuit()` takes them so, a shifter for each term and one sum; accelerators are charged for that one.
    `circuit()` takes b as a binary number and looks its exponents up. width: bits of (a, b), unsigned; b 2..8.
    Error: a times the rounding of b: rank 1, two-sided, and all that b has above the largest sum; exact on zero.

    Reference: Y. Li, X. Dong, W. Wang, "Additive powers-of-two quantization: an efficient non-uniform discretization for neural networks",
    ICLR 2020, arXiv:1909.13144
    """

    base_bits: int = principal(2)
    terms: int = principal(2)
    width: tuple[int, int] = (8, 6)

    def check(self) -> None:
        """As the format has them; a weight that can be looked up."""
        require_range("base_bits", self.base_bits, 1, 3)
        require_range("terms", self.terms, 1, 4)
        if self.width[1] > WIDEST:
            raise SpecError(f"apot needs weights of at most {WIDEST} bits, not {self.width[1]}: give width=({self.width[0]},{WIDEST})")

    def stored_values(self) -> tuple[int, ...]:
        """The sum behind each code."""
        return additive_powers(self.base_bits, self.terms)

    def _rounded(self, b: Integers) -> Integers:
        sums = np.sort(np.array(self.stored_values(), dtype=np.int64))
        return sums[np.searchsorted(sums[:-1] + sums[1:], 2 * b, side="left")]

    def product(self, a: Integers, b: Integers) -> Integers:
        """Activation times the nearest sum."""
        return a * self._rounded(b)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """A table of the exponents before the shifters."""
        values = self.stored_values()
        code_of = {value: code for code, value in enumerate(values)}
        codes = [code_of[int(value)] for value in self._rounded(self.operand_values(1))]
        bits = [[code >> bit & 1 for code in codes] for bit in range(self.base_bits * self.terms)]
        return self.place_stored(b, x, synthesize(b, bits, y))

    def place_stored(self, b: Builder, x: Wires, code: Wires) -> Wires:
        """A shifter a term, which moves by multiples of `terms` places, and one sum."""
        width = len(x) + max(self.stored_values()).bit_length()
        columns: Columns = [[] for _ in range(width)]
        for term in range(self.terms):
            field = code[term * self.base_bits : (term + 1) * self.base_bits]
            shifted = x
            for place, bit in enumerate(field):
                shifted = mux_word(b, bit, shifted, (*(ZERO,) * (self.terms << place), *shifted))
            # a field of 1 is the smallest power: what a shift by its `terms` places left below is dropped
            product = and_word(b, shifted[self.terms :], or_tree(b, field))
            add_word(columns, ((ZERO,) * (self.terms - 1 - term) + product)[:width])
        return add_columns(b, columns, tree="dadda")

    def gates(self) -> GateCount:
        """Per term a shifter of the activation, adders that join them; the weight is stored as exponents."""
        wide = self.width[0] + max(self.stored_values()).bit_length()
        shifter = barrel_shifter(self.width[0], 2**self.base_bits)
        return total(shifter for _ in range(self.terms)).then(total(ripple_adder(wide) for _ in range(self.terms - 1)))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """One to three terms, other bases and widths."""
        found = [
            cls(),
            cls(base_bits=3, terms=1, width=(8, 7)),
            cls(base_bits=1, terms=3, width=(8, 3)),
            cls(base_bits=2, terms=1, width=(4, 3)),
        ]
        return [*found, cls(width=(8, 8)), cls(width=(8, 4)), cls(width=(4, 4))]
