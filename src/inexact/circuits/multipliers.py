"""Exact multipliers, and the partial products approximate ones are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import ZERO, Circuit
from inexact.circuits.adders import AdderGenerator, operand_widths
from inexact.circuits.columns import TREES, Columns, add_columns, add_constant
from inexact.circuits.words import extend
from inexact.core.errors import CircuitError, UnknownNameError, near

KINDS = (*TREES, "booth")
"""Kinds of exact multipliers: array, wallace, dadda (partial products by AND), booth (radix-4 recoding, Dadda tree)."""


def partial_products(
    b: Builder, x: Sequence[int], y: Sequence[int], *, signed: bool = False, kept: NDArray[np.bool_] | None = None
) -> Columns:
    """Columns of x_i AND y_j, len(x) + len(y) of them; row y_0 comes first in every column.

    signed: modified Baugh-Wooley: cells with exactly one sign bit become NAND and constant ones take the difference back.
    kept[i, j]: whether the cell of x_i and y_j is formed (default: all); a cell left out counts as 0.

    Reference: C. R. Baugh, B. A. Wooley, "A two's complement parallel array multiplication algorithm", IEEE Transactions on
    Computers C-22(12), 1973, doi:10.1109/T-C.1973.223648
    """
    formed = np.ones((len(x), len(y)), bool) if kept is None else kept
    if formed.shape != (len(x), len(y)):
        raise CircuitError(f"kept must be [{len(x)}, {len(y)}], one entry per cell, not {list(formed.shape)}")
    columns: Columns = [[] for _ in range(len(x) + len(y))]
    correction = 0
    for j, q in enumerate(y):
        for i, p in enumerate(x):
            if not formed[i, j]:
                continue
            negative = signed and (i == len(x) - 1) != (j == len(y) - 1)
            # a cell of negative weight is -x = (not x) - 1
            correction -= int(negative) << (i + j)
            cell = b.nand_(p, q) if negative else b.and_(p, q)
            if cell != ZERO:
                columns[i + j].append(cell)
    add_constant(columns, correction % (1 << len(columns)))
    return columns


def booth_products(b: Builder, x: Sequence[int], y: Sequence[int], *, signed: bool = False) -> Columns:
    """Columns of the radix-4 Booth products of x with the digits -2..2 of y; about half as many rows as `partial_products`.

    Reference: O. L. MacSorley, "High-speed arithmetic in binary computers", Proceedings of the IRE 49(1), 1961,
    doi:10.1109/JRPROC.1961.287779
    """
    width = len(x) + len(y)
    columns: Columns = [[] for _ in range(width)]
    digits = (len(y) + 1) // 2 if signed else len(y) // 2 + 1
    multiplicand = extend(x, len(x) + 2, signed=signed)
    bits = (ZERO, *extend(y, 2 * digits, signed=signed))
    correction = 0
    for k in range(digits):
        below, middle, above = bits[2 * k : 2 * k + 3]
        one = b.xor_(middle, below)
        two = b.mux(above, b.and_(middle, below), b.nor_(middle, below))
        row = [
            b.xor_(b.or_(b.and_(one, wire), b.and_(two, multiplicand[i - 1] if i else ZERO)), above) for i, wire in enumerate(multiplicand)
        ]
        # the row is two's complement: its top bit weighs -2**t, and -s = (not s) - 1; a negative digit adds its one at the bottom
        row[-1] = b.not_(row[-1])
        correction -= 1 << (2 * k + len(row) - 1)
        for place, wire in enumerate(row, start=2 * k):
            if place < width and wire != ZERO:
                columns[place].append(wire)
        if 2 * k < width and above != ZERO:
            columns[2 * k].append(above)
    add_constant(columns, correction % (1 << width))
    return columns


def multiply(
    b: Builder,
    x: Sequence[int],
    y: Sequence[int],
    *,
    signed: bool = False,
    kind: str = "dadda",
    adder: str | AdderGenerator = "ripple",
    kept: NDArray[np.bool_] | None = None,
    constant: int = 0,
) -> tuple[int, ...]:
    """The product of two words in len(x) + len(y) bits; parameters as for `multiplier`."""
    if kind not in KINDS:
        raise UnknownNameError(f"no exact multiplier is called {kind!r}{near(kind, KINDS)} Known: {', '.join(KINDS)}")
    if kind == "booth":
        if kept is not None:
            raise CircuitError("kept needs partial products by AND (array, wallace, dadda): Booth's rows have no such cells")
        columns = booth_products(b, x, y, signed=signed)
    else:
        columns = partial_products(b, x, y, signed=signed, kept=kept)
    add_constant(columns, constant % (1 << len(columns)))
    return add_columns(b, columns, tree="dadda" if kind == "booth" else kind, adder=adder)


def multiplier(
    width: int | tuple[int, int] = 8,
    *,
    kind: str = "array",
    signed: bool = False,
    adder: str | AdderGenerator = "ripple",
    kept: NDArray[np.bool_] | None = None,
    constant: int = 0,
) -> Circuit:
    """A multiplier `y = a * b` as a circuit; exact unless cells are left out.

    width: bits of (a, b), 2..32 each. kind: one of `KINDS`. adder: the final adder, a name of `ADDERS` or a generator.
    kept[i, j]: which cells (bit i of a, bit j of b) are formed. constant: a number added to the product.
    """
    widths = operand_widths(width)
    b = Builder(f"mul_{kind}_{widths[0]}x{widths[1]}{'s' if signed else 'u'}")
    x, y = b.input("a", widths[0], signed=signed), b.input("b", widths[1], signed=signed)
    b.output("y", multiply(b, x, y, signed=signed, kind=kind, adder=adder, kept=kept, constant=constant), signed=signed)
    return b.build()
