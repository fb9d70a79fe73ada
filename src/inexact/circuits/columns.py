"""Column compression: columns of equally weighted bits are reduced to one number by counters, and any counter may be approximate."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import ONE, ZERO, Wires
from inexact.circuits.adders import AdderGenerator, generator
from inexact.circuits.logic import synthesize
from inexact.core.errors import UnknownNameError, near

Columns = list[list[int]]
"""`columns[c]`: wires of weight 2**c. The number of columns is the width of the result; what is carried beyond it is dropped."""


@dataclass(frozen=True)
class Compressor:
    """A counter of `inputs` equally weighted bits. place(builder, wires): its outputs, of weight 1, 2, 4, …, in this order."""

    inputs: int
    place: Callable[[Builder, Sequence[int]], Sequence[int]]


FULL_ADDER = Compressor(3, lambda b, wires: b.full_adder(*wires))
"""Exact 3:2 counter."""

HALF_ADDER = Compressor(2, lambda b, wires: b.half_adder(*wires))
"""Exact 2:2 counter."""


def table_compressor(sums: Sequence[int], *, inputs: int) -> Compressor:
    """An approximate counter from its truth table: `sums[k]` is the result for the input pattern k (bit i of k = input i).

    An approximate 4:2 compressor without carry in has 16 entries of 0..3. Outputs are as many bits as the largest entry needs.
    """
    bits = max(1, max(sums).bit_length())
    return Compressor(inputs, lambda b, wires: synthesize(b, [[(s >> i) & 1 for s in sums] for i in range(bits)], wires))


Choose = Callable[[int, int, int], Compressor]
"""Which counter takes bits of a column: (stage, column, bits that may be taken: 2 or more) -> Compressor of at most that many inputs."""


def exact_counter(_stage: int, _column: int, bits: int) -> Compressor:
    """A full adder, or a half adder when only two bits may be taken."""
    return FULL_ADDER if bits >= 3 else HALF_ADDER


def add_constant(columns: Columns, value: int) -> None:
    """Add `value` modulo 2**len(columns) as constant ones."""
    for column, wires in enumerate(columns):
        if (value >> column) & 1:
            wires.append(ONE)


def add_word(columns: Columns, word: Sequence[int], shift: int = 0) -> None:
    """Add the bits of a word, `shift` columns up; bits beyond the last column are dropped."""
    for column, wire in enumerate(word, start=shift):
        if column < len(columns) and wire != ZERO:
            columns[column].append(wire)


def array(b: Builder, columns: Columns, choose: Choose = exact_counter) -> Columns:
    """Carry-save array: the running sum goes down its column and meets one new bit and one carry of the column below at a time.

    Fewest counters and shortest wires, depth linear in the number of rows. Half adders are left to the final adder.
    """
    after: Columns = []
    carries: Columns = [[] for _ in columns]
    for column, wires in enumerate(columns):
        left = _interleaved(wires, carries[column])
        stage = 0
        while len(left) > 2:
            counter = choose(stage, column, len(left))
            taken, left = left[: counter.inputs], left[counter.inputs :]
            total, *carried = counter.place(b, taken)
            left = [wire for wire in (total, *left) if wire != ZERO]
            for place, wire in enumerate(carried, start=column + 1):
                if place < len(columns) and wire != ZERO:
                    carries[place].append(wire)
            stage += 1
        after.append(left)
    return after


def _interleaved(wires: Sequence[int], carries: Sequence[int]) -> list[int]:
    """Two bits of the column, then a carry and a bit in turn."""
    out = list(wires[:2])
    for place in range(max(len(wires) - 2, len(carries))):
        out.extend(carries[place : place + 1])
        out.extend(wires[place + 2 : place + 3])
    return out


def wallace(b: Builder, columns: Columns, choose: Choose = exact_counter) -> Columns:
    """Wallace tree: in every stage as many counters as the bits allow, until no column has more than two.

    Reference: C. S. Wallace, "A suggestion for a fast multiplier", IEEE Transactions on Electronic Computers EC-13(1), 1964,
    doi:10.1109/PGEC.1964.263830
    """
    held, stage = [list(column) for column in columns], 0
    while max(map(len, held), default=0) > 2:
        # a pair is added too, but a column of two rests
        held = _stage(b, held, lambda left, done: left if left >= 3 or done > 0 else 0, choose, stage)
        stage += 1
    return held


def dadda(b: Builder, columns: Columns, choose: Choose = exact_counter) -> Columns:
    """Dadda tree: in every stage just enough counters to reach the next of the heights 2, 3, 4, 6, 9, 13, …

    Reference: L. Dadda, "Some schemes for parallel multipliers", Alta Frequenza 34, 1965
    """
    held, stage = [list(column) for column in columns], 0
    heights = [2]
    while heights[-1] * 3 // 2 < max(map(len, held), default=0):
        heights.append(heights[-1] * 3 // 2)
    for height in reversed(heights):
        while max(map(len, held), default=0) > height:
            held = _stage(b, held, functools.partial(_above, height), choose, stage)
            stage += 1
    return held


TREES: dict[str, Callable[..., Columns]] = {"array": array, "wallace": wallace, "dadda": dadda}
"""How columns are reduced to two rows, by name."""


def add_columns(
    b: Builder, columns: Columns, *, tree: str = "dadda", adder: str | AdderGenerator = "ripple", choose: Choose = exact_counter
) -> Wires:
    """The sum of all columns modulo 2**len(columns): a tree of counters, then an adder for the two rows left.

    tree: a name of `TREES`. adder: a name of `ADDERS` or a generator. choose: which counter is used where.
    """
    if tree not in TREES:
        raise UnknownNameError(f"no reduction is called {tree!r}{near(tree, TREES)} Known: {', '.join(TREES)}")
    rows = TREES[tree](b, columns, choose)
    single = next((c for c, wires in enumerate(rows) if len(wires) > 1), len(rows))
    low = tuple(wires[0] if wires else ZERO for wires in rows[:single])
    x, y = ([wires[place] if len(wires) > place else ZERO for wires in rows[single:]] for place in (0, 1))
    return (*low, *generator(adder)(b, x, y)[: len(x)])


def _above(height: int, left: int, done: int) -> int:
    """Bits to take from a column that is higher than `height`: a counter of n bits lowers it by n - 1."""
    return min(left, left + done - height + 1) if left + done > height else 0


def _stage(b: Builder, columns: Columns, spare: Callable[[int, int], int], choose: Choose, stage: int) -> Columns:
    """One stage, from the lowest column up. spare(left, done): bits counters may take, of `left` with `done` already in the next stage."""
    after: Columns = [[] for _ in columns]
    for column, wires in enumerate(columns):
        left = list(wires)
        while (bits := spare(len(left), len(after[column]))) >= 2:
            counter = choose(stage, column, bits)
            taken, left = left[: counter.inputs], left[counter.inputs :]
            for place, wire in enumerate(counter.place(b, taken), start=column):
                if place < len(after) and wire != ZERO:
                    after[place].append(wire)
        after[column].extend(left)
    return after
