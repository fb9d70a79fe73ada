"""What a BLIF cover says: a cell of ours where one fits, else a small circuit."""

from __future__ import annotations

import functools
import itertools

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import ONE, ZERO, Circuit, Op
from inexact.circuits._graph import HIGH, LOW
from inexact.circuits.logic import synthesize
from inexact.circuits.words import or_tree

COVERS = {
    Op.NOT: ["0"], Op.AND: ["11"], Op.OR: ["1-", "-1"], Op.XOR: ["10", "01"], Op.NAND: ["0-", "-0"], Op.NOR: ["00"], Op.XNOR: ["11", "00"],
    Op.MUX: ["01-", "1-1"],
}  # fmt: skip
"""The cells with one output as covers of their ones."""

_TABLE_INPUTS = 5


@functools.lru_cache(maxsize=4096)
def function_of(cubes: tuple[str, ...], inputs: int, ones: bool) -> Op | Circuit | str:
    """What a cover is: a cell, a small circuit, a constant, or a wire (the number of its input)."""
    if inputs > _TABLE_INPUTS:
        return _sum_of_products(cubes, inputs, ones)
    table = _table(cubes, inputs, ones)
    for net, wanted in ((LOW, {0}), (HIGH, {1})):
        if set(table) == wanted:
            return net
    for op, known in COVERS.items():
        if len(known[0]) == inputs and _table(tuple(known), inputs, True) == table:
            return op
    if inputs == 1:
        return "0"
    b = Builder("cover")
    wires = [b.input(f"i{i}", 1)[0] for i in range(inputs)]
    b.output("y", synthesize(b, [table], wires))
    return b.build()


def _table(cubes: tuple[str, ...], inputs: int, ones: bool) -> list[int]:
    """Output bits by pattern, bit i = input i."""
    patterns = ("".join(bits[::-1]) for bits in itertools.product("01", repeat=inputs))
    return [int(any(all(c in ("-", x) for c, x in zip(cube, p, strict=True)) for cube in cubes) == ones) for p in patterns]


def _sum_of_products(cubes: tuple[str, ...], inputs: int, ones: bool) -> Circuit:
    b = Builder("cover")
    wires = [b.input(f"i{i}", 1)[0] for i in range(inputs)]
    terms = []
    for cube in cubes:
        term = ONE
        for wire, literal in zip(wires, cube, strict=True):
            if literal != "-":
                term = b.and_(term, wire if literal == "1" else b.not_(wire))
        terms.append(term)
    covered = or_tree(b, terms) if terms else ZERO
    b.output("y", [covered if ones else b.not_(covered)])
    return b.build()
