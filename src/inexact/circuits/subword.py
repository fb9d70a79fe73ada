"""A multiplier whose array splits into two halves or four quarters: one wide product, or several narrow ones side by side."""

from __future__ import annotations

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import Circuit, Wires
from inexact.circuits.columns import Columns, add_columns

PARTS = (1, 2, 4)
"""Products at once, by mode."""


def subword_multiplier(width: int = 16) -> Circuit:
    """Unsigned array with gated cells. Inputs `a`, `b` of `width` bits (a multiple of 4) and `mode` (2 bits); output `y` of 2 width bits.

    mode 3: y = a b. mode 1: the products of the lower and of the upper halves, each in a half of y. mode 0: those of the four quarters,
    each in a quarter of y. Products side by side lie in columns of their own, so that cells between different parts only have to be kept
    at 0: the bits of b are gated on their way to them.

    Reference: B. Moons, R. Uytterhoeven, W. Dehaene, M. Verhelst, DVAFS: trading computational accuracy for energy through
    dynamic-voltage-accuracy-frequency-scaling, DATE 2017
    """
    builder = Builder(f"subword_{width}")
    a, b, mode = (builder.input(name, bits) for name, bits in (("a", width), ("b", width), ("mode", 2)))
    quarter = width // 4
    gated: dict[int, Wires] = {
        0: b,
        1: tuple(builder.and_(wire, mode[0]) for wire in b),
        2: tuple(builder.and_(wire, mode[1]) for wire in b),
    }
    columns: Columns = [[] for _ in range(2 * width)]
    for i in range(width):
        for j in range(width):
            columns[i + j].append(builder.and_(a[i], gated[_level(i // quarter, j // quarter)][j]))
    builder.output("y", add_columns(builder, columns, tree="dadda"))
    return builder.build()


def _level(i: int, j: int) -> int:
    """0 within a quarter, 1 between the quarters of a half, 2 between halves."""
    return 0 if i == j else 1 if i // 2 == j // 2 else 2
