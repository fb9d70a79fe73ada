"""A multiplier with a permanent fault: one wire of its netlist, of its operands or of its product holds a constant."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np

from inexact.circuits import ONE, ZERO, Builder, Circuit, Wires, stuck_at
from inexact.core.errors import SpecError
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount
from inexact.units.table import TableUnit

_PORT = re.compile(r"([aby])\[(\d+)\]")
_SIDES = "ab"


@multipliers.register("stuck_at")
@final
@dataclass(frozen=True, kw_only=True)
class StuckAtUnit(Multiplier):
    """A multiplier whose `net` is stuck at `value`, 0 or 1: exactly what the broken circuit computes.

    multiplier: the unit that breaks. net: `a[3]`, `b[0]` (operand bits), `y[15]` (product bits; all units have these), or a net or branch
    of its gates, `n57`, `n57->g12.1`, `n57->y[5]` (units with a netlist), numbered as in `netlist_of`. width: that of the unit, 8 bits
    each at most for nets of gates.
    Error: on top of the unit's own; one-sided only where the stuck bit is a product bit. Undetectable faults change nothing.

    Reference: R. D. Eldred, "Test routines based on symbolic logical statements", Journal of the ACM 6(1), 1959,
    doi:10.1145/320954.320957
    """

    multiplier: Multiplier | str = field(default="exact", metadata={"written": True})
    net: str = principal("y[0]")
    value: int = principal(1)
    width: tuple[int, int] = (8, 8)

    @property
    def signed(self) -> bool:
        """That of the unit."""
        return self.unit.signed

    @property
    def unit(self) -> Multiplier:
        """The unit without the fault."""
        return multipliers.get(self.multiplier)

    def check(self) -> None:
        """A net that the unit has, stuck at 0 or 1."""
        object.__setattr__(self, "multiplier", multipliers.get(self.multiplier))
        if self.width not in {(8, 8), self.unit.width}:
            raise SpecError(f"width must be the multiplier's ({self.unit.width[0]}x{self.unit.width[1]}), not {self.width}; leave it away")
        object.__setattr__(self, "width", self.unit.width)
        if self.value not in {0, 1} or isinstance(self.value, bool):
            raise SpecError(f"value of stuck_at must be 0 or 1, not {self.value!r}")
        if not isinstance(self.net, str):
            raise SpecError(f"net of stuck_at must be a name such as 'n57', 'a[3]' or 'y[15]', not {self.net!r}")
        port = _port(self.net)
        if port is None:
            stuck_at.find(_gates_of(self.unit), self.net, self.value)
            return
        name, bit = port
        bits = product_word(self.unit)[0] if name == "y" else self.width[_SIDES.index(name)]
        if bit >= bits:
            raise SpecError(f"bit of {name} must be 0..{bits - 1} in {self.unit.spec}, not {bit}")

    def product(self, a: Integers, b: Integers) -> Integers:
        """The unit's product with the bit forced, or what the faulty gates give."""
        port = _port(self.net)
        if port is None:
            rows, columns = (side & ((1 << bits) - 1) for side, bits in zip((a, b), self.width, strict=True))
            return np.asarray(_faulty_table(self)[rows, columns])
        name, bit = port
        if name == "y":
            bits, negative = product_word(self.unit)
            return forced(self.unit.product(a, b), bit, self.value, bits, signed=negative)
        operands = [a, b]
        side = _SIDES.index(name)
        operands[side] = forced(operands[side], bit, self.value, self.width[side], signed=self.signed)
        return self.unit.product(*operands)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """The gates of `netlist_of` with the net tied."""
        circuit = netlist_of(self.unit)
        if circuit is None:
            return None
        constant, port = (ZERO, ONE)[self.value], _port(self.net)
        if port is None:
            return b.include(stuck_at.faulty(circuit, stuck_at.find(circuit, self.net, self.value)), x, y)[0]
        name, bit = port
        words = {"a": x, "b": y}
        if name in words:
            words[name] = (*words[name][:bit], constant, *words[name][bit + 1 :])
        result = b.include(circuit, words["a"], words["b"])[0]
        return (*result[:bit], constant, *result[bit + 1 :]) if name == "y" else result

    def gates(self) -> GateCount | None:
        """The unit's: a fault saves nothing."""
        return self.unit.gates()

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Ports and nets; a unit without a netlist; signed ones; unequal widths."""
        nets = [cls(multiplier="exact(width=4)", net=net, value=value) for net in ("a[0]", "n20", "y[5]") for value in (0, 1)]
        branch = stuck_at.faults(_gates_of(multipliers.get("exact(signed=true,width=4)")), collapse=False)
        names = [stuck_at.name_of(_gates_of(multipliers.get("exact(signed=true,width=4)")), fault) for fault in branch if not fault.stem]
        return [
            *nets,
            cls(multiplier="exact(signed=true,width=4)", net=names[-1], value=1),
            cls(multiplier="drum(k=3,width=(8,4))", net="b[3]", value=1),
            cls(multiplier="trunc(cut=4,signed=true)", net="y[15]", value=1),
            *(cls(multiplier=unit, net="y[11]", value=1) for unit in TableUnit.samples()[2:3]),
        ]


def netlist_of(unit: Multiplier) -> Circuit | None:
    """The unit's netlist with adders as gates, in which nets are counted; None for a unit without one."""
    circuit = unit.circuit()
    return None if circuit is None else _gate_level(circuit)


def product_word(unit: Multiplier) -> tuple[int, bool]:
    """(bits, whether two's complement) of the unit's product register: its netlist's result, else the fewest bits from those of both
    operands together on that hold every product."""
    circuit = unit.circuit()
    if circuit is not None:
        return circuit.output_bits, circuit.signed
    return _word_of_table(unit)


def forced(values: Integers, bit: int, value: int, bits: int, *, signed: bool) -> Integers:
    """Words of so many bits with one bit forced to `value`, as numbers again."""
    pattern = values & ((1 << bits) - 1)
    pattern = pattern | (1 << bit) if value else pattern & ~(1 << bit)
    return pattern - ((pattern >> (bits - 1)) << bits) if signed else pattern


def _port(net: str) -> tuple[str, int] | None:
    found = _PORT.fullmatch(net)
    return None if found is None else (found[1], int(found[2]))


def _gates_of(unit: Multiplier) -> Circuit:
    found = netlist_of(unit)
    if found is None:
        raise SpecError(
            f"{unit.spec} has no netlist whose nets could be stuck; take a bit of an operand or of the product, as in net='y[0]', or a "
            "unit with a netlist"
        )
    return found


@functools.lru_cache(maxsize=256)
def _gate_level(circuit: Circuit) -> Circuit:
    return stuck_at.gate_level(circuit)


@functools.lru_cache(maxsize=64)
def _word_of_table(unit: Multiplier) -> tuple[int, bool]:
    low, high = int(unit.table().min()), int(unit.table().max())
    negative = unit.signed or low < 0
    return max(sum(unit.width), max(-low - 1, high, 1).bit_length() + negative), negative


@functools.lru_cache(maxsize=8)
def _faulty_table(unit: StuckAtUnit) -> Integers:
    circuit = _gates_of(unit.unit)
    return stuck_at.table(circuit, stuck_at.find(circuit, unit.net, unit.value))
