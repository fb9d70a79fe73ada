"""The netlist type: named buses in and out, cells in topological order, immutable."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import CircuitError
from inexact.core.files import sha256

Wires = tuple[int, ...]
"""Wire numbers of a word, least significant bit first."""

ZERO = 0
"""The wire that is always 0."""

ONE = 1
"""The wire that is always 1."""

MAX_OUTPUT_BITS = 64
"""Results are read as 64-bit integers."""


class Op(IntEnum):
    """Kinds of cells. MUX: in0 selects in1 (when 0) or in2 (when 1). HALF and FULL adders have two outputs: the sum, then the carry."""

    NOT = 0
    AND = 1
    OR = 2
    XOR = 3
    NAND = 4
    NOR = 5
    XNOR = 6
    MUX = 7
    HALF = 8
    FULL = 9


FAN_IN = {op: 1 if op is Op.NOT else 3 if op in {Op.MUX, Op.FULL} else 2 for op in Op}
"""Inputs of each kind of cell."""

FAN_OUT = {op: 2 if op in {Op.HALF, Op.FULL} else 1 for op in Op}
"""Outputs of each kind of cell."""

CELL = np.dtype([("op", "u1"), ("in0", "<i4"), ("in1", "<i4"), ("in2", "<i4"), ("out", "<i4")])
"""One cell; unused inputs are -1; `out` is its first output wire, the second (of an adder) is `out + 1`."""

Cells = NDArray[np.void]

_INPUTS = ("in0", "in1", "in2")
_FAN_IN = np.array([FAN_IN[op] for op in Op])
_FAN_OUT = np.array([FAN_OUT[op] for op in Op])
_KINDS = {int(op): (op, FAN_IN[op]) for op in Op}


@dataclass(frozen=True)
class Bus:
    """A named word of `width` bits, least significant first; signed: its value is two's complement."""

    name: str
    width: int
    signed: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """Least and greatest value."""
        return (-(1 << (self.width - 1)), (1 << (self.width - 1)) - 1) if self.signed else (0, (1 << self.width) - 1)


@final
@dataclass(frozen=True, eq=False)
class Circuit:
    """A combinational gate-level netlist. Make one with a `Builder`, a generator or a reader; nothing in it can be changed.

    name: an identifier. inputs, outputs: the buses in order. cells: array of `CELL` in topological order. output_wires: int32, the
    wires of all output buses, first bus and least significant bit first.

    Wires are numbered: 0 and 1 are the constants, then the bits of the input buses in order, then the cells' outputs in order; a
    cell reads only wires with smaller numbers than its own, so there are no cycles and every wire has one driver.

    Circuits compare and hash by content (`sha256`), not by name. Raises CircuitError when a rule above is broken.
    """

    name: str
    inputs: tuple[Bus, ...]
    outputs: tuple[Bus, ...]
    cells: Cells
    output_wires: NDArray[np.int32]

    def __post_init__(self) -> None:
        for field, dtype in (("cells", CELL), ("output_wires", np.dtype(np.int32))):
            own = np.array(getattr(self, field), dtype=dtype)
            own.flags.writeable = False
            object.__setattr__(self, field, own)
        _check_buses(self)
        _check_cells(self)

    @property
    def input_bits(self) -> int:
        """Bits of all input buses together."""
        return sum(bus.width for bus in self.inputs)

    @property
    def output_bits(self) -> int:
        """Bits of all output buses together."""
        return sum(bus.width for bus in self.outputs)

    @property
    def signed(self) -> bool:
        """Whether the result, all output buses as one word, is two's complement: the last bus decides, it holds the top bit."""
        return self.outputs[-1].signed

    @property
    def wires(self) -> int:
        """Number of wires, constants and inputs included."""
        return 2 + self.input_bits + int(_FAN_OUT[self.cells["op"]].sum())

    def input_wires(self, side: int) -> Wires:
        """Wires of input bus number `side`."""
        first = 2 + sum(bus.width for bus in self.inputs[:side])
        return tuple(range(first, first + self.inputs[side].width))

    def bus_wires(self, side: int) -> Wires:
        """Wires of output bus number `side`."""
        first = sum(bus.width for bus in self.outputs[:side])
        return tuple(int(w) for w in self.output_wires[first : first + self.outputs[side].width])

    def gates(self) -> Iterator[tuple[Op, Wires, int]]:
        """(kind, input wires, first output wire) of every cell, in order."""
        for code, *sources, out in self.cells.tolist():
            op, fan_in = _KINDS[code]
            yield op, tuple(sources[:fan_in]), out

    def counts(self) -> dict[str, int]:
        """Number of cells of each kind that occurs, by lower-case name: `{"and": 64, "full": 48, …}`."""
        found = np.bincount(self.cells["op"], minlength=len(Op))
        return {op.name.lower(): int(found[op]) for op in Op if found[op]}

    def levels(self) -> int:
        """Cells on the longest path from an input to an output; every cell counts one."""
        level = [0] * self.wires
        for op, sources, out in self.gates():
            depth = 1 + max(level[wire] for wire in sources)
            level[out : out + FAN_OUT[op]] = [depth] * FAN_OUT[op]
        return max((level[wire] for wire in self.output_wires.tolist()), default=0)

    def renamed(self, name: str) -> Circuit:
        """The same netlist under another name."""
        return dataclasses.replace(self, name=name)

    @functools.cached_property
    def sha256(self) -> str:
        """Hex SHA-256 of buses, cells and outputs; the name does not count."""
        buses = ";".join(f"{b.name}:{b.width}:{int(b.signed)}" for b in (*self.inputs, Bus("/", 0), *self.outputs))
        return sha256(buses.encode() + b"\0" + self.cells.tobytes() + b"\0" + self.output_wires.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Circuit) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        def shown(buses: Sequence[Bus]) -> str:
            return ", ".join(f"{b.name}:{'s' if b.signed else 'u'}{b.width}" for b in buses)

        return f"Circuit({self.name!r}, {shown(self.inputs)} -> {shown(self.outputs)}, {len(self.cells)} cells)"


def _check_buses(circuit: Circuit) -> None:
    names = [bus.name for bus in (*circuit.inputs, *circuit.outputs)]
    if not circuit.outputs:
        raise CircuitError(f"a circuit must have an output, but {circuit.name} has none")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CircuitError(f"names of buses must differ, but {twice!r} occurs twice in {circuit.name}")
    for bus in (*circuit.inputs, *circuit.outputs):
        if bus.width < 1:
            raise CircuitError(f"bus {bus.name!r} of {circuit.name} must have at least 1 bit, not {bus.width}")
    if circuit.output_bits > MAX_OUTPUT_BITS:
        raise CircuitError(f"outputs must have at most {MAX_OUTPUT_BITS} bits together, but {circuit.name} has {circuit.output_bits}")
    if len(circuit.output_wires) != circuit.output_bits:
        raise CircuitError(
            f"{circuit.name} must name one wire per output bit, but names {len(circuit.output_wires)} for {circuit.output_bits} bits"
        )


def _check_cells(circuit: Circuit) -> None:
    cells = circuit.cells
    if (cells["op"] >= len(Op)).any():
        raise CircuitError(f"cells of {circuit.name} must be of a known kind (0..{len(Op) - 1}), not {int(cells['op'].max())}")
    first = 2 + circuit.input_bits
    out = first + np.concatenate([[0], np.cumsum(_FAN_OUT[cells["op"]])])[:-1]
    if (cells["out"] != out).any():
        raise CircuitError(f"cells of {circuit.name} must drive the wires {first}, … one after the other")
    for place, name in enumerate(_INPUTS):
        used = _FAN_IN[cells["op"]] > place
        wrong = np.where(used, (cells[name] < 0) | (cells[name] >= cells["out"]), cells[name] != -1)
        if wrong.any():
            cell = int(np.flatnonzero(wrong)[0])
            raise CircuitError(
                f"cell {cell} of {circuit.name} must read wires before its own ({int(out[cell])}) and -1 where unused, "
                f"but {name} is {int(cells[name][cell])}"
            )
    outputs = circuit.output_wires
    if outputs.size and (outputs.min() < 0 or outputs.max() >= circuit.wires):
        raise CircuitError(f"outputs of {circuit.name} must be wires 0..{circuit.wires - 1}")
