"""A circuit as a straight-line program over few slots: a wire's slot is free for another once its last reader has run."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits._circuit import FAN_OUT, Circuit

UNREAD = -1


@final
@dataclass(frozen=True)
class Program:
    """gates: int32 [n, 6], kind, three input slots, two output slots. Slot 0 holds zeros, slot 1 ones.

    inputs: slot of each input bit, -1 when nothing reads it. outputs: slot of each result bit.
    """

    gates: NDArray[np.int32]
    slots: int
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    signed: bool


@functools.lru_cache(maxsize=256)
def program_of(circuit: Circuit) -> Program:
    """The circuit with wires mapped to slots; an output slot may be that of an input of the same gate."""
    last = _last_readers(circuit)
    slot = [UNREAD] * circuit.wires
    slot[0], slot[1] = 0, 1
    free: list[int] = []
    slots = 2

    def take(wire: int) -> int:
        nonlocal slots
        if not free:
            free.append(slots)
            slots += 1
        slot[wire] = free.pop()
        return slot[wire]

    for wire in range(2, 2 + circuit.input_bits):
        if last[wire] >= 0:
            take(wire)
    inputs = slot[2 : 2 + circuit.input_bits]
    gates = np.zeros((len(circuit.cells), 6), np.int32)
    for index, (op, sources, out) in enumerate(circuit.gates()):
        gates[index, 0] = op
        gates[index, 1 : 1 + len(sources)] = [slot[wire] for wire in sources]
        free.extend({slot[wire] for wire in sources if wire > 1 and last[wire] == index})
        written = [take(wire) for wire in range(out, out + FAN_OUT[op])]
        gates[index, 4 : 4 + len(written)] = written
        free.extend(slot[wire] for wire in range(out, out + FAN_OUT[op]) if last[wire] < 0)
    outputs = [slot[wire] for wire in circuit.output_wires.tolist()]
    return Program(gates, slots, np.array(inputs, np.int32), np.array(outputs, np.int32), circuit.signed)


def _last_readers(circuit: Circuit) -> list[int]:
    """Index of the last cell that reads each wire; beyond all cells for outputs, -1 for unread wires."""
    last = [-1] * circuit.wires
    for index, (_, sources, _) in enumerate(circuit.gates()):
        for wire in sources:
            last[wire] = index
    for wire in circuit.output_wires.tolist():
        last[wire] = len(circuit.cells)
    return last


@functools.lru_cache(maxsize=1)
def core() -> ModuleType | None:
    """The compiled core, or None when inexact was installed without a compiler."""
    try:
        return importlib.import_module("inexact.kernels._core")
    except ImportError:
        return None


@functools.lru_cache(maxsize=256)
def compiled(circuit: Circuit) -> Any:
    """The program, checked and held by the compiled core."""
    module, program = core(), program_of(circuit)
    assert module is not None
    return module.Program(program.gates, program.slots, program.inputs, program.outputs, program.signed)


def isa() -> str:
    """The path in use; see `inexact.kernels.isa`."""
    return str(importlib.import_module("inexact.kernels").isa())


def threads() -> int:
    """Threads of the compiled core; see `inexact.kernels.threads`."""
    return int(importlib.import_module("inexact.kernels").threads())
