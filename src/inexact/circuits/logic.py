"""Gates for small truth tables."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import ONE, ZERO, Wires
from inexact.core.errors import CircuitError

MAX_INPUTS = 8

Row = tuple[int, ...]


def synthesize(b: Builder, tables: Sequence[Sequence[int]], inputs: Sequence[int]) -> Wires:
    """Gates for the truth tables `tables[output][pattern]` of 0 and 1, bit i of the pattern = inputs[i]; one wire per output.

    Shannon expansion with shared cofactors (a reduced decision diagram of multiplexers, which the builder shrinks to AND, OR and XOR
    where a branch is constant or inverse), in the variable order that needs fewest cells. At most 8 inputs; all orders are tried up to
    5, the given one and its reverse beyond.
    """
    n = len(inputs)
    if n > MAX_INPUTS:
        raise CircuitError(f"a truth table may have at most {MAX_INPUTS} inputs, not {n}; compose it of smaller ones")
    rows = [tuple(int(bit) for bit in table) for table in tables]
    for row in rows:
        if len(row) != 1 << n or not set(row) <= {0, 1}:
            raise CircuitError(f"a truth table of {n} inputs must have {1 << n} entries of 0 or 1, not {len(row)}")
    order = _best_order(tuple(rows), n)
    return _expand(b, rows, [inputs[i] for i in order], order)


@functools.lru_cache(maxsize=1024)
def _best_order(rows: tuple[Row, ...], n: int) -> tuple[int, ...]:
    def cells(order: tuple[int, ...]) -> int:
        b = Builder("trial")
        b.output("y", _expand(b, rows, [b.input(f"x{i}", 1)[0] for i in order], order))
        return len(b.build().cells)

    straight = tuple(range(n))
    return min(itertools.permutations(straight) if n <= 5 else (straight, straight[::-1]), key=cells)


def _expand(b: Builder, rows: Sequence[Row], wires: Sequence[int], order: Sequence[int]) -> Wires:
    """wires[k] carries variable order[k]; the first is decided first."""
    known: dict[Row, int] = {}

    def wire_of(row: Row, depth: int) -> int:
        if not any(row):
            return ZERO
        if all(row):
            return ONE
        if row not in known and (inverse := tuple(1 - bit for bit in row)) in known:
            known[row] = b.not_(known[inverse])
        if row not in known:
            half = len(row) // 2
            known[row] = b.mux(wires[depth], wire_of(row[:half], depth + 1), wire_of(row[half:], depth + 1))
        return known[row]

    return tuple(wire_of(_ordered(row, order), 0) for row in rows)


def _ordered(row: Row, order: Sequence[int]) -> Row:
    """The table with its variables renumbered so that order[0] is the top bit of the pattern."""
    n = len(order)
    return tuple(row[sum(((k >> (n - 1 - place)) & 1) << variable for place, variable in enumerate(order))] for k in range(len(row)))
