"""Alphabet-set multiplier: weights whose 4-bit digits are shifted members of a small set of odd numbers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ZERO, Builder, Columns, Wires, add_columns, synthesize
from inexact.circuits.columns import add_word
from inexact.circuits.logic import MAX_INPUTS
from inexact.circuits.words import select, shift_left
from inexact.core.errors import SpecError
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, barrel_shifter, one_hot_select, ripple_adder, total
from inexact.units._wiring import add

COUNTS = (1, 2, 4, 8)
DIGIT = 4


@multipliers.register("asm")
@final
@dataclass(frozen=True, kw_only=True)
class AlphabetSet(Multiplier):
    """`a * r(b)`: the weight is rounded to the nearest one whose every 4-bit digit is 0 or alphabet * 2**s (ties down).

    alphabets: how many odd numbers from 1 on the set holds: 1 is {1} (shifts only), 2 {1,3}, 4 {1,3,5,7}, 8 all digits (exact).
    The alphabets' multiples of the activation come from adders that neurons share; the digits' products are shifted and summed.
    width: bits of (a, b), unsigned; a top digit may be shorter than 4 bits. Signed weights: `sign_magnitude(multiplier=asm(...))`.
    Error: two-sided, a times the rounding of b: rank 1, no bias for a weight the set holds; exact on zero. A network is meant to be
    retrained with such weights; then the product of what it stores is exact.

    Reference: S. S. Sarwar, S. Venkataramani, A. Ankit, A. Raghunathan, K. Roy, "Energy-efficient neural computing with approximate
    multipliers", ACM JETC 14(2), 2018
    """

    widest: ClassVar[int] = 16  # a table of the weight's codes

    alphabets: int = principal(2)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """A published set."""
        if isinstance(self.alphabets, bool) or self.alphabets not in COUNTS:
            raise SpecError(
                f"alphabets must be 1, 2, 4 or 8 (the sets {{1}}, {{1,3}}, {{1,3,5,7}} and all odd digits), not {self.alphabets!r}"
            )

    def weights(self) -> list[int]:
        """The weights the set holds, ascending."""
        return [int(weight) for weight in _weights(self.alphabets, self.width[1])]

    def product(self, a: Integers, b: Integers) -> Integers:
        """Activation times rounded weight."""
        return a * _nearest(self.alphabets, self.width[1])[b]

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """Alphabet multiples of x; the rounding of the weight as logic; per digit a selection and a shifter; one sum.

        None for weights of more than 8 bits: the rounding is a truth table.
        """
        if len(y) > MAX_INPUTS:
            return None
        rounded = _nearest(self.alphabets, self.width[1])
        numbers = range(1, 2 * self.alphabets, 2)
        multiples = [_multiple(b, x, number) for number in numbers]
        columns: Columns = [[] for _ in range(sum(self.width))]
        for start in range(0, self.width[1], DIGIT):
            digit = (rounded >> start) & ((1 << DIGIT) - 1)
            shift = np.log2(np.maximum(digit & -digit, 1)).astype(np.int64)
            lines = [(digit >> shift) == number for number in numbers]
            tables = [[int(bit) for bit in row] for row in (*lines, shift & 1, shift >> 1)]
            *chosen, low, high = synthesize(b, tables, y)
            add_word(columns, shift_left(b, select(b, chosen, multiples), (low, high)), start)
        return add_columns(b, columns, tree="dadda")

    def gates(self) -> GateCount:
        """One adder per further alphabet, per digit a selection and a shifter, adders that join the digits; none of it shared."""
        bits, multiples = self.width[0], total(ripple_adder(self.width[0] + 1) for _ in range(self.alphabets - 1))
        digits = [min(DIGIT, self.width[1] - start) for start in range(0, self.width[1], DIGIT)]
        wide = bits + self.alphabets.bit_length() - 1
        select = one_hot_select(wide, self.alphabets)
        product = total(select.then(barrel_shifter(wide, digit - 1, keep=bits + digit)) + GateCount(and2=wide) for digit in digits)
        return multiples.then(product).then(total(ripple_adder(bits + DIGIT) for _ in digits[1:]))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The published sets, other widths."""
        return [*(cls(alphabets=n) for n in (1, 2, 4)), cls(width=(8, 4)), cls(alphabets=1, width=(4, 4)), cls(width=(7, 7))]


@functools.cache
def _weights(alphabets: int, bits: int) -> NDArray[np.int64]:
    found = np.zeros(1, dtype=np.int64)
    for start in range(0, bits, DIGIT):
        size = 1 << min(DIGIT, bits - start)
        digits = {0} | {alphabet << shift for alphabet in range(1, 2 * alphabets, 2) for shift in range(DIGIT)}
        held = np.array(sorted(digit for digit in digits if digit < size), dtype=np.int64)
        found = np.add.outer(held << start, found).ravel()
    return np.asarray(np.sort(found), dtype=np.int64)


@functools.cache
def _nearest(alphabets: int, bits: int) -> NDArray[np.int64]:
    return nearest_member(np.arange(1 << bits, dtype=np.int64), _weights(alphabets, bits))


def nearest_member(values: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nearest of the ascending `members` for each value; the smaller one on a tie."""
    above = np.clip(np.searchsorted(members, values), 1, len(members) - 1)
    low, high = members[above - 1], members[above]
    return np.where(values - low <= high - values, low, high)


def _multiple(b: Builder, x: Wires, number: int) -> Wires:
    """x times an odd number below 16: shifts of x, added."""
    total: Wires = x
    for bit in range(1, number.bit_length()):
        if (number >> bit) & 1:
            total = add(b, total, (*(ZERO,) * bit, *x))
    return total
