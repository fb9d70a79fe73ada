"""A multiplier given by its gates: a netlist read from a BLIF file, or a circuit of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

import numpy as np

from inexact import circuits
from inexact.circuits import Builder, Circuit, Wires
from inexact.core.errors import FormatError, SpecError
from inexact.units._base import Integers, Multiplier, multipliers
from inexact.units._gates import GateCount, counted

_CIRCUITS: dict[str, Circuit] = {}
"""Circuits met in this process by SHA-256: a content-addressed cache, so a spec with a hash finds its circuit again."""


@multipliers.register("netlist")
@final
@dataclass(frozen=True, kw_only=True)
class NetlistUnit(Multiplier):
    """A multiplier that is what its gates compute. Identity is the netlist's SHA-256, never the file's name.

    path: a BLIF file with two input buses, the activation first, and one output bus. content: hex SHA-256 of the netlist
    (`Circuit.sha256`); filled in when empty and checked when given. Without a path it must name a circuit already met in this process
    (see `from_circuit`). signed: two's complement operands and result. width: bits of the two buses.
    """

    path: str = ""
    content: str = ""
    signed: bool = False
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Load the file, compare its hash, remember the circuit."""
        if not self.path:
            self.source  # noqa: B018  raises
            return
        object.__setattr__(self, "path", str(self.path))
        found = remember(circuits.read_blif(self.path), signed=self.signed, name=self.path)
        if self.content and self.content != found:
            raise FormatError(f"the netlist in {self.path} must have SHA-256 {self.content}, but it has {found}; it is another unit")
        object.__setattr__(self, "content", found)
        self.source  # noqa: B018  raises

    def product(self, a: Integers, b: Integers) -> Integers:
        """What the gates give, simulated bit-parallel."""
        return circuits.evaluate(self.source, a, b)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The netlist's own cells."""
        return b.include(self.source, x, y)[0]

    @property
    def source(self) -> Circuit:
        """The netlist as it was read. Raises SpecError when none was met under `content`, or its widths are not `width`."""
        if not self.content:
            raise SpecError("netlist needs path=, a BLIF file, as in netlist(path='unit.blif'); in Python use units.from_circuit")
        if self.content not in _CIRCUITS:
            raise SpecError(f"no netlist with SHA-256 {self.content!r} was met in this process; save the unit and use netlist(path='…')")
        found = _CIRCUITS[self.content]
        width = (found.inputs[0].width, found.inputs[1].width)
        if width != self.width:
            raise SpecError(f"width must be that of the netlist's operands, {width[0]}x{width[1]}, not {self.width[0]}x{self.width[1]}")
        return found

    def gates(self) -> GateCount:
        """The netlist's own cells."""
        return counted(self.source)

    def save(self, target: str | Path) -> NetlistUnit:
        """Write the netlist as BLIF (atomically) and return the unit that names this file, which another process can load."""
        name = str(target) if str(target).endswith(".blif") else f"{target}.blif"
        circuits.write_blif(self.source, name)
        return NetlistUnit(path=name, signed=self.signed, width=self.width)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Exact trees of which the low columns are not formed; one signed, one of unequal width."""
        made = []
        for signed, width in ((False, (8, 8)), (True, (8, 8)), (False, (8, 4)), (False, (4, 4))):
            kept = np.add.outer(np.arange(width[0]), np.arange(width[1])) >= 3
            builder = circuits.Builder("dropped", simplify=True)
            a, b = builder.input("a", width[0], signed=signed), builder.input("b", width[1], signed=signed)
            columns = circuits.partial_products(builder, a, b, signed=signed, kept=kept)
            builder.output("y", circuits.add_columns(builder, columns, tree="wallace"), signed=signed)
            made.append(cls(content=remember(builder.build(), signed=signed, name="sample"), signed=signed, width=width))
        return made


def from_circuit(circuit: Circuit) -> NetlistUnit:
    """The unit that a circuit of two input buses (the activation first) and one output bus is; signed when its buses are.

    Its spec holds for this process; `unit.save(path)` gives a unit whose spec holds anywhere.
    Raises FormatError for other buses, or when only some are signed.
    """
    signs = {bus.signed for bus in (*circuit.inputs, *circuit.outputs)}
    if len(signs) != 1:
        raise FormatError(f"the buses of {circuit!r} must be all signed or all unsigned")
    content = remember(circuit, signed=circuit.signed, name=circuit.name)
    return NetlistUnit(content=content, signed=circuit.signed, width=(circuit.inputs[0].width, circuit.inputs[1].width))


def remember(circuit: Circuit, *, signed: bool, name: str) -> str:
    """Keep the circuit, its buses signed or not, under its SHA-256 and return the hash.

    FormatError unless it has two operands and one result.
    """
    if len(circuit.inputs) != 2 or len(circuit.outputs) != 1:
        shown = f"{len(circuit.inputs)} ({', '.join(b.name for b in circuit.inputs)}) and {len(circuit.outputs)}"
        raise FormatError(f"{name} must have two input buses and one output bus to be a multiplier, not {shown}")
    inputs, outputs = (tuple(dataclasses.replace(bus, signed=signed) for bus in buses) for buses in (circuit.inputs, circuit.outputs))
    own = dataclasses.replace(circuit, inputs=inputs, outputs=outputs)
    _CIRCUITS.setdefault(own.sha256, own)
    return own.sha256
