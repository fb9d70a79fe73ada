"""Compressor tree: approximate 4:2 compressors reduce the low columns of the partial products."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ZERO, Builder, Wires, add_columns, partial_products, table_compressor
from inexact.core.errors import SpecError, near, require_range
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._cells import column_bound
from inexact.units._gates import GateCount, constant_lookup, reduce_columns

Bits = NDArray[np.uint8]

# Value 2 * carry + sum for the inputs x1 + 2 x2 + 4 x3 + 8 x4.
COMPRESSORS = {
    # design 2: sum = (x1 XNOR x2) OR (x3 XNOR x4), carry = (x1 OR x2) AND (x3 OR x4); wrong on 4 of 16
    "momeni2": "1111122312231333",
    # design 1: 1111 gives 3; wrong on 1 of 16
    "yang1": "0112122312232333",
    # sum = (x1 XOR x2) OR (x3 XOR x4) OR x1x2x3x4, carry = x1x2 OR x3x4; wrong on 5 of 16
    "venkatachalam": "0112111311132333",
    # the approximate part of DQ4:2C1: sum = x1, carry = x4; wrong on 10 of 16
    "akbari1": "0101010123232323",
}

GATES = {
    "momeni2": GateCount(xnor2=2, or2=3, and2=1, levels=3),
    "yang1": GateCount(xor2=3, and2=4, or2=5, levels=5),
    "venkatachalam": GateCount(xor2=2, and2=3, or2=3, levels=4),
    "akbari1": GateCount(),
}


@multipliers.register("compressor")
@final
@dataclass(frozen=True, kw_only=True)
class CompressorTree(Multiplier):
    """Multiplier whose `columns` lowest columns are reduced by 4:2 compressors without carry chains, given by a truth table.

    compressor: momeni2, yang1, venkatachalam, akbari1, or 16 digits 0..3: the value 2*carry + sum for x1 + 2 x2 + 4 x3 + 8 x4.
    columns: lowest columns so reduced, 0..wa+wb-1; the others are exact. The tree: stages halve the height (to the next lower power
    of two, down to 2); in a column compressors take the top four bits while they are needed, then one full or half adder; below,
    in order, stand the carries from the next lower column, the column's sums, the rest. width: bits of (a, b), unsigned.
    Error: as the truth table's; momeni2 is wrong on zero. momeni2 with columns = 7 is the paper's Multiplier 4 (9320 of 65025
    products of non-zero operands right, mean error distance 0.7827e-3 of 255**2: both reproduced). Its Multiplier 2 (all columns)
    is not: 0.0502 here, 0.0535 printed; the paper does not draw that tree without carry chains.

    Reference: A. Momeni, J. Han, P. Montuschi, F. Lombardi, "Design and analysis of approximate compressors for multiplication",
    IEEE Transactions on Computers 64(4), 2015, doi:10.1109/TC.2014.2308214; Z. Yang, J. Han, F. Lombardi, "Approximate compressors
    for error-resilient multiplier design", DFTS 2015; S. Venkatachalam, S.-B. Ko, "Design of power and area efficient approximate
    multipliers", IEEE TVLSI 25(5), 2017; O. Akbari, M. Kamal, A. Afzali-Kusha, M. Pedram, "Dual-quality 4:2 compressors for
    utilizing in dynamic accuracy configurable multipliers", IEEE TVLSI 25(4), 2017
    """

    compressor: str = principal("momeni2")
    columns: int = principal(7)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """A known compressor or a whole truth table; columns of the product."""
        if self.compressor not in COMPRESSORS and not (
            isinstance(self.compressor, str) and len(self.compressor) == 16 and set(self.compressor) <= set("0123")
        ):
            raise SpecError(
                f"compressor must be {', '.join(COMPRESSORS)} or 16 digits 0..3 (2*carry + sum by input pattern), not "
                f"{self.compressor!r}{near(str(self.compressor), COMPRESSORS)}"
            )
        require_range("columns", self.columns, 0, sum(self.width) - 1, bound=column_bound(self.width))

    def truth_table(self) -> list[int]:
        """2 * carry + sum for the inputs x1 + 2 x2 + 4 x3 + 8 x4."""
        return [int(digit) for digit in COMPRESSORS.get(self.compressor, self.compressor)]

    def product(self, a: Integers, b: Integers) -> Integers:
        """The low columns bit by bit through the tree, the others exactly."""
        table = np.array(self.truth_table(), dtype=np.uint8)
        low: list[list[Bits]] = [[] for _ in range(self.columns)]
        result = np.array(a * b, dtype=np.int64)
        for j in range(self.width[1]):
            for i in range(min(self.width[0], max(self.columns - j, 0))):
                bit = ((a >> i) & (b >> j) & 1).astype(np.uint8)
                low[i + j].append(bit)
                result -= bit.astype(np.int64) << (i + j)
        for stage in plan(self.width, self.columns):
            carries: list[Bits] = []
            for column, sizes in enumerate(stage):
                low[column], over = _reduced(low[column], carries, sizes, table)
                carries = over
            result += sum((bit.astype(np.int64) for bit in carries), np.zeros_like(result)) << self.columns
        for column, bits in enumerate(low):
            result += sum((bit.astype(np.int64) for bit in bits), np.zeros_like(result)) << column
        return result

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The tree of `plan` on the low columns, one exact array for all that is left."""
        columns = [*partial_products(b, x, y), []]
        counter = table_compressor(self.truth_table(), inputs=4)
        for stage in plan(self.width, self.columns):
            carries: list[int] = []
            for column, sizes in enumerate(stage):
                pairs, rest = [], columns[column]
                for size in sizes:
                    taken, rest = rest[:size], rest[size:]
                    placed = counter.place(b, taken) if size == 4 else b.full_adder(*taken) if size == 3 else b.half_adder(*taken)
                    pairs.append((*placed, ZERO)[:2])
                columns[column] = [*carries, *(pair[0] for pair in pairs), *rest]
                carries = [pair[1] for pair in pairs]
            columns[self.columns].extend(carries)
        return add_columns(b, columns, tree="dadda")

    def gates(self) -> GateCount:
        """The cells, the tree's compressors and adders, one exact sum of all that is left."""
        one = GATES.get(self.compressor)
        one = constant_lookup(self.truth_table(), 2) if one is None else one
        adders = {4: one, 3: GateCount(full_adder=1, levels=4), 2: GateCount(half_adder=1, levels=2)}
        gates = GateCount(and2=self.width[0] * self.width[1], levels=1)
        heights = _heights(self.width)
        for stage in plan(self.width, self.columns):
            row = GateCount()
            for column, sizes in enumerate(stage):
                heights[column] -= sum(size - 1 for size in sizes)
                heights[column + 1] += len(sizes)
                for size in sizes:
                    row = row + adders[size]
            gates = gates.then(row)
        return gates.then(reduce_columns(heights))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Every compressor in the low and in all columns, a truth table of one's own, other widths."""
        low = [cls(compressor=name) for name in COMPRESSORS]
        every = [cls(compressor=name, columns=15) for name in ("momeni2", "yang1", "venkatachalam")]
        own = cls(compressor="0112122212222223", columns=9)
        return [*low, *every, own, cls(width=(8, 4)), cls(compressor="yang1", columns=4, width=(4, 4)), cls(width=(7, 7))]


def _heights(width: tuple[int, int]) -> list[int]:
    columns = np.add.outer(np.arange(width[0]), np.arange(width[1]))
    return [int(height) for height in np.bincount(columns.ravel(), minlength=sum(width))]


@functools.cache
def plan(width: tuple[int, int], columns: int) -> list[list[list[int]]]:
    """For every stage and low column the adders by number of inputs: 4 a compressor, 3 a full and 2 a half adder."""
    heights = _heights(width)[:columns]
    target = 1 << max(max(_heights(width)) - 1, 1).bit_length() - 1
    stages = []
    while target >= 2:
        stage: list[list[int]] = []
        carries = 0
        for column in range(columns):
            sizes: list[int] = []
            need, left = heights[column] + carries - target, heights[column]
            while need > 0:
                size = 4 if need >= 3 and left >= 4 else 3 if need >= 2 and left >= 3 else 2
                sizes.append(size)
                need, left = need - (size - 1), left - size
            heights[column] = carries + len(sizes) + left
            carries = len(sizes)
            stage.append(sizes)
        stages.append(stage)
        target //= 2
    return stages


def _reduced(bits: list[Bits], carries: list[Bits], sizes: list[int], table: Bits) -> tuple[list[Bits], list[Bits]]:
    """A column after one stage, and its carries into the next column."""
    sums, over, rest = [], [], list(bits)
    for size in sizes:
        taken, rest = rest[:size], rest[size:]
        if size == 4:
            value = table[taken[0] | taken[1] << 1 | taken[2] << 2 | taken[3] << 3]
        else:
            value = np.asarray(sum(taken[1:], taken[0]), dtype=np.uint8)
        sums.append(value & 1)
        over.append(value >> 1)
    return [*carries, *sums, *rest], over
