"""The cells that netlists may instantiate, from `cells.toml`, each a small circuit."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import Circuit, Op
from inexact.circuits._expression import Cursor, Expression, expression, tokens_of


@dataclass(frozen=True)
class Cell:
    """kind: a cell of ours where one fits exactly, else a circuit with one-bit buses. Pins in the order of its inputs and outputs."""

    kind: Op | Circuit
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


MEMORY = re.compile(r"DFF|LATCH|^\$_(S?D?FF|DLATCH|SR|ALDFF)|^\$(a?dffe?|dlatch|sr|ff|mem)|FF(POS|NEG)?", re.IGNORECASE)
"""Names of cells that hold a state."""


@functools.cache
def _cells() -> dict[str, Cell]:
    text = files("inexact.circuits").joinpath("cells.toml").read_text(encoding="utf-8")
    found = {}
    for entry in tomllib.loads(text)["cell"]:
        cell = _cell(tuple(entry["inputs"]), entry["outputs"], entry.get("adder"))
        found.update(dict.fromkeys(entry["names"], cell))
    return found


def cell_of(name: str) -> Cell | None:
    """The cell of this name, drive strength left out; None when it is unknown."""
    plain = name.removeprefix("\\")
    return _cells().get(plain) or _cells().get(re.sub(r"(?<=X)\d+$|(?<=BUF)\d+$", "", plain))


def _cell(inputs: tuple[str, ...], outputs: dict[str, str], adder: str | None) -> Cell:
    if adder is not None:
        return Cell(Op.HALF if adder == "half" else Op.FULL, inputs, tuple(outputs))
    b = Builder("cell")
    wires = {name: b.input(name, 1)[0] for name in inputs}
    for name, text in outputs.items():
        b.output(name, [_placed(b, expression(Cursor(tokens_of(text, "cells.toml"), "cells.toml")), wires)])
    return Cell(b.build(), inputs, tuple(outputs))


def _placed(b: Builder, e: Expression, wires: dict[str, int]) -> int:
    if e.kind == "net":
        return wires[e.name]
    if e.kind == "not":
        inner = e.parts[0]
        inverse = {"&": b.nand_, "|": b.nor_, "^": b.xnor_}
        if inner.kind == "binary" and len(inner.parts) == 2:
            return inverse[inner.name](*(_placed(b, part, wires) for part in inner.parts))
        return b.not_(_placed(b, inner, wires))
    parts = [_placed(b, part, wires) for part in e.parts]
    if e.kind == "reduce":
        return parts[0]
    if e.kind == "mux":
        return b.mux(parts[0], parts[2], parts[1])
    return {"&": b.and_, "|": b.or_, "^": b.xor_}[e.name](*parts)
