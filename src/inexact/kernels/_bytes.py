"""Factors cut into bytes, cheapest found: each product of two bytes is one 8-bit matrix product of the lowrank engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from math import log2
from typing import final

import numpy as np
import numpy.typing as npt

from inexact.kernels._factors import SAFE, Factors, Integers, reduce


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Term:
    """`2**exponent * a[code of a] * b[code of b]`; either a is 0..255 and b -128..127, or a is -128..127 and b 0..255 (`a_signed`)."""

    a: Integers
    b: Integers
    a_signed: bool
    exponent: int


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ByteFactors:
    """A table as byte products: `table[a, b] = offset[b] + sum of the terms`, exponents falling, proven over all operand pairs.

    rank: of the factors they come from. sha256: of the table as little-endian int32.
    """

    terms: tuple[Term, ...]
    offset: Integers
    rank: int
    sha256: str

    @classmethod
    def prove(cls, table: Integers, factors: Factors, sha256: str) -> ByteFactors | None:
        """The byte terms of `factors` when they reproduce every entry of `table`, else None: the certificate of the lowrank engine."""
        terms = cut(factors)
        total = np.sum([np.multiply.outer(term.a, term.b) << term.exponent for term in terms], axis=0)
        offset = table[0] - total[0]
        if not np.array_equal(total + offset, table):
            return None
        return cls(terms=tuple(terms), offset=offset, rank=factors.rank, sha256=sha256)

    @property
    def shifts(self) -> list[int]:
        """By how many bits the sums are shifted left after each term, so that every term ends at its exponent."""
        exponents = [*(term.exponent for term in self.terms), 0]
        return [high - low for high, low in itertools.pairwise(exponents)]

    def maps(self, side: str) -> npt.NDArray[np.uint8]:
        """Bytes [terms, 256] of operand "a" or "b" as stored, zero for codes the table lacks."""
        out = np.zeros((len(self.terms), 256), np.uint8)
        for row, term in zip(out, self.terms, strict=True):
            values = term.a if side == "a" else term.b
            row[: len(values)] = values.astype(np.uint8)
        return out


def cheapest(factors: Factors) -> Factors:
    """The same table by factors that need the fewest byte products, among lattice-reduced bases and their neighbours."""
    starts = [_primitive(start) for start in (reduce(factors, side="left"), reduce(factors, side="right"), factors)]
    if not factors.rank:
        return factors
    best = min(starts, key=_cost)
    if _cost(best)[0] <= best.rank:  # no basis needs fewer
        return best
    return min((_descend(start) for start in starts), key=_cost)


def cut(factors: Factors) -> list[Term]:
    """Byte terms, exponents falling; their sum differs from the table by a function of b only."""
    terms: list[Term] = []
    for left, right in zip(factors.left, factors.right, strict=True):
        if left.min() != left.max() and right.any():
            terms += _cut_pair(left, right)
    if not terms:  # a function of b alone
        zero = Term(a=0 * factors.left.sum(0), b=0 * factors.offset, a_signed=False, exponent=0)
        terms.append(zero)
    return sorted(terms, key=lambda term: -term.exponent)


def _cut_pair(left: Integers, right: Integers) -> list[Term]:
    right, down = _without_twos(right)
    if _count(-int(right.max()), -int(right.min())) < _count(int(right.min()), int(right.max())):
        left, right = -left, -right
    left, up = _without_twos(left - left.min())
    return [
        Term(a=a - 128 * signed, b=b, a_signed=signed, exponent=up + down + i + j)
        for i, a in _digits(left)
        for j, b in _digits(right)
        for signed in (bool(b.min() >= 0),)
    ]


def _without_twos(values: Integers) -> tuple[Integers, int]:
    """`values` and the power of two taken out of them."""
    joined = int(np.bitwise_or.reduce(values))
    power = (joined & -joined).bit_length() - 1 if joined else 0
    return values >> power, power


def _digits(values: Integers) -> list[tuple[int, Integers]]:
    """(exponent, digit) of each byte: the lower ones 0..255, the highest 0..255 or -128..127."""
    count = _count(int(values.min()), int(values.max()))
    lower = [(8 * i, values >> 8 * i & 255) for i in range(count - 1)]
    return [*lower, (8 * (count - 1), values >> 8 * (count - 1))]


def _count(low: int, high: int) -> int:
    """Bytes that values `low` .. `high` need."""
    bytes_ = 1
    while not (low >= 0 and high < 1 << 8 * bytes_) and not (-low <= 1 << 8 * bytes_ - 1 and high < 1 << 8 * bytes_ - 1):
        bytes_ += 1
    return bytes_


Cost = tuple[int, float]
"""Byte products, then the sizes of the factors in bits: less is nearer to one product fewer."""


def _cost(factors: Factors) -> Cost:
    return _sum(_cost_of(left, right) for left, right in zip(factors.left, factors.right, strict=True))


def _sum(costs: Iterable[Cost]) -> Cost:
    counts, bits = zip(*costs, strict=True)
    return sum(counts), sum(bits)


def _cost_of(left: Integers, right: Integers) -> Cost:
    spread, low, high = int(left.max() - left.min()), int(right.min()), int(right.max())
    if not spread or low == high == 0:
        return 0, 0.0
    power = _without_twos(right)[1]
    low, high, spread = low >> power, high >> power, spread >> _without_twos(left - left.min())[1]
    count = _count(0, spread) * min(_count(low, high), _count(-high, -low))
    return count, log2(spread + 1) + log2(high - low + 1)


def _primitive(factors: Factors) -> Factors:
    """Common divisors move from left to right, where powers of two cost nothing."""
    left, right = factors.left.copy(), factors.right.copy()
    for i, row in enumerate(left):
        divisor = int(np.gcd.reduce(row - row[0]))
        if divisor > 1:
            left[i], right[i] = (row - row[0]) // divisor, right[i] * divisor
    return Factors(left=left, right=right, offset=factors.offset)


def _descend(factors: Factors) -> Factors:
    """Adds small multiples of one factor to another as long as that makes the whole cheaper."""
    left, right = factors.left.copy(), factors.right.copy()
    costs = [_cost_of(*pair) for pair in zip(left, right, strict=True)]
    for _ in range(16):
        best: tuple[Cost, int, int, int] | None = None
        for i, j, q in itertools.product(range(len(left)), range(len(left)), (1, -1, 2, -2, 4, -4)):
            if i == j or max(costs[i][0], costs[j][0]) <= 1:  # both are as cheap as can be
                continue
            moved = _sum([_cost_of(left[i] + q * left[j], right[i]), _cost_of(left[j], right[j] - q * right[i])])
            gain = moved[0] - costs[i][0] - costs[j][0], moved[1] - costs[i][1] - costs[j][1]
            if best is None or gain < best[0]:
                best = gain, i, j, q
        if best is None or best[0] >= (0, -1e-9):
            break
        _, i, j, q = best
        left[i] += q * left[j]
        right[j] -= q * right[i]
        if max(np.abs(left[i]).max(), np.abs(right[j]).max()) >= SAFE:
            return factors
        costs[i], costs[j] = _cost_of(left[i], right[i]), _cost_of(left[j], right[j])
    return Factors(left=left, right=right, offset=factors.offset)
