"""Stuck-at faults of a netlist: the list of them, equivalent ones counted once, and the whole function of every faulty circuit.

>>> from inexact import circuits
>>> from inexact.circuits import stuck_at
>>> circuit = circuits.multiplier(4, kind="dadda")
>>> fault = stuck_at.find(circuit, "n12", 1)
>>> stuck_at.table(circuit, fault).shape
(16, 16)
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import _numpy
from inexact.circuits._builder import Builder
from inexact.circuits._circuit import FAN_OUT, Circuit, Op, Wires
from inexact.circuits._program import Program, core, isa, program_of, threads
from inexact.circuits._simulate import MAX_TABLE_BITS, Values, positions_of
from inexact.core.errors import CircuitError, near

PINS = ("in0", "in1", "in2")


@final
@dataclass(frozen=True, kw_only=True)
class StuckAt:
    """One wire, or one branch of it, that holds `value` whatever drives it.

    wire: number in the circuit. cell, pin: the branch into this input of this cell; output: the branch into this result bit; all -1
    means the stem, with all its branches.
    """

    wire: int
    value: int
    cell: int = -1
    pin: int = -1
    output: int = -1

    @property
    def stem(self) -> bool:
        """Whether the whole net is stuck."""
        return self.cell < 0 and self.output < 0


def gate_level(circuit: Circuit) -> Circuit:
    """The same circuit with adder cells as gates, so that the nets inside them can be stuck as well.

    A half adder is an XOR and an AND; a full adder two XORs, two ANDs and an OR. Every other cell stays, unread ones too.
    """
    b = Builder(circuit.name, simplify=False)
    wire_of = [0, 1]
    for bus in circuit.inputs:
        wire_of.extend(b.input(bus.name, bus.width, signed=bus.signed))
    for op, sources, _ in circuit.gates():
        wire_of.extend(_as_gates(b, op, [wire_of[source] for source in sources]))
    for side, bus in enumerate(circuit.outputs):
        b.output(bus.name, [wire_of[wire] for wire in circuit.bus_wires(side)], signed=bus.signed)
    return b.build()


def _as_gates(b: Builder, op: Op, sources: list[int]) -> Wires:
    if op not in {Op.HALF, Op.FULL}:
        return b.place(op, sources)
    half, both = b.xor_(sources[0], sources[1]), b.and_(sources[0], sources[1])
    if op is Op.HALF:
        return half, both
    return b.xor_(half, sources[2]), b.or_(both, b.and_(half, sources[2]))


def faults(circuit: Circuit, *, branches: bool = True, collapse: bool = True) -> tuple[StuckAt, ...]:
    """The fault list: both values of every net that is read, inputs included.

    branches: also of every branch of a net with several readers (gate inputs and result bits). collapse: of faults that are equivalent
    by the kind of a gate (an input of an AND at 0 and its output at 0, and so on) only the one nearest the outputs.

    Reference: E. J. McCluskey, F. W. Clegg, "Fault equivalence in combinational logic networks", IEEE Trans. Computers C-20(11), 1971,
    doi:10.1109/T-C.1971.223129
    """
    readers = _readers(circuit)
    found: list[StuckAt] = []
    for wire in range(2, circuit.wires):
        places = readers[wire]
        sites = [StuckAt(wire=wire, value=0)] if places else []
        sites += places if branches and len(places) > 1 else []
        found += [replace(site, value=value) for site in sites for value in (0, 1)]
    return tuple(found) if not collapse else _collapsed(circuit, found, readers)


def _readers(circuit: Circuit) -> list[list[StuckAt]]:
    """For every wire its branches."""
    readers: list[list[StuckAt]] = [[] for _ in range(circuit.wires)]
    for cell, (_, sources, _) in enumerate(circuit.gates()):
        for pin, wire in enumerate(sources):
            readers[wire].append(StuckAt(wire=wire, value=0, cell=cell, pin=pin))
    for output, wire in enumerate(circuit.output_wires.tolist()):
        readers[wire].append(StuckAt(wire=wire, value=0, output=output))
    return readers


_CONTROLLING = {Op.AND: (0, 0), Op.NAND: (0, 1), Op.OR: (1, 1), Op.NOR: (1, 0)}
"""Kind -> (input value that alone decides the output, the output it gives)."""


def _collapsed(circuit: Circuit, found: list[StuckAt], readers: list[list[StuckAt]]) -> tuple[StuckAt, ...]:
    known = set(found)
    dropped = set()
    for cell, (op, sources, out) in enumerate(circuit.gates()):
        pairs = [(0, 1), (1, 0)] if op is Op.NOT else [_CONTROLLING[op]] if op in _CONTROLLING else []
        for pin, wire in enumerate(sources):
            for before, after in pairs:
                branch = StuckAt(wire=wire, value=before, cell=cell, pin=pin)
                own = StuckAt(wire=wire, value=before) if len(readers[wire]) == 1 else branch
                if own in known and StuckAt(wire=out, value=after) in known:
                    dropped.add(own)
    return tuple(fault for fault in found if fault not in dropped)


def name_of(circuit: Circuit, fault: StuckAt) -> str:
    """How the site is called: `a[3]` for an input bit, `n57` for a cell's output, `n57->g12.1` and `n57->y[5]` for its branches."""
    stem = _net_name(circuit, fault.wire)
    if fault.stem:
        return stem
    return f"{stem}->g{fault.cell}.{fault.pin}" if fault.cell >= 0 else f"{stem}->{_bit_name(circuit.outputs, fault.output)}"


def _net_name(circuit: Circuit, wire: int) -> str:
    return _bit_name(circuit.inputs, wire - 2) if wire < 2 + circuit.input_bits else f"n{wire}"


def _bit_name(buses: Iterable[object], place: int) -> str:
    for bus in buses:
        width: int = bus.width  # type: ignore[attr-defined]
        if place < width:
            return f"{bus.name}[{place}]"  # type: ignore[attr-defined]
        place -= width
    raise CircuitError(f"no bus has bit {place}")


def find(circuit: Circuit, name: str, value: int) -> StuckAt:
    """The fault of this name, see `name_of`. Raises CircuitError when the circuit has no such net or branch, or value is not 0 or 1."""
    if value not in {0, 1}:
        raise CircuitError(f"a net can be stuck at 0 or 1, not at {value!r}")
    known = _sites(circuit)
    if name not in known:
        stems = [other for other, fault in known.items() if fault.stem]
        raise CircuitError(
            f"{circuit.name} has no net {name!r}{near(name, known)} Its nets that something reads are {stems[0]} … {stems[-1]}; the "
            "branches of net n57 are written n57->g12.1 (input 1 of cell 12) and n57->y[5]"
        )
    return replace(known[name], value=value)


@functools.lru_cache(maxsize=64)
def _sites(circuit: Circuit) -> dict[str, StuckAt]:
    return {name_of(circuit, fault): fault for fault in faults(circuit, collapse=False) if not fault.value}


def faulty(circuit: Circuit, fault: StuckAt) -> Circuit:
    """The circuit with the site replaced by a constant; cells keep their numbers."""
    cells, outputs = np.array(circuit.cells), np.array(circuit.output_wires)
    if fault.cell >= 0:
        cells[PINS[fault.pin]][fault.cell] = fault.value
    elif fault.output >= 0:
        outputs[fault.output] = fault.value
    else:
        for pin in PINS:
            cells[pin][cells[pin] == fault.wire] = fault.value
        outputs[outputs == fault.wire] = fault.value
    return replace(circuit, cells=cells, output_wires=outputs)


def table(circuit: Circuit, fault: StuckAt) -> Values:
    """Results of the faulty circuit for all operands, laid out as `circuits.table`."""
    return next(tables(circuit, [fault]))


def tables(circuit: Circuit, listed: Iterable[StuckAt]) -> Iterator[Values]:
    """The table of every fault in turn, int64 `[2**width, …]`, a new array each.

    The circuit's straight-line program is made once; a fault is one more gate in it, or a constant for an operand of a gate.
    Raises CircuitError above 28 operand bits.
    """
    if circuit.input_bits > MAX_TABLE_BITS:
        raise CircuitError(f"faulty tables need at most {MAX_TABLE_BITS} operand bits, not {circuit.input_bits} ({circuit.name})")
    program, shape = program_of(circuit), [1 << bus.width for bus in circuit.inputs]
    driver = _drivers(circuit)
    for fault in listed:
        yield _run(circuit, _broken(circuit, program, driver, fault)).reshape(shape)


def _drivers(circuit: Circuit) -> dict[int, tuple[int, int]]:
    """Wire -> (cell that drives it, which of its outputs)."""
    return {out + place: (cell, place) for cell, (op, _, out) in enumerate(circuit.gates()) for place in range(FAN_OUT[op])}


def _broken(circuit: Circuit, program: Program, driver: dict[int, tuple[int, int]], fault: StuckAt) -> Program:
    """The program with the fault. Slot 0 holds zeros and slot 1 ones, so that a value is the slot that holds it."""
    if fault.cell >= 0:
        gates = program.gates.copy()
        gates[fault.cell, 1 + fault.pin] = fault.value
        return replace(program, gates=gates)
    if fault.output >= 0:
        outputs = program.outputs.copy()
        outputs[fault.output] = fault.value
        return replace(program, outputs=outputs)
    if fault.wire in driver:
        cell, place = driver[fault.wire]
        slot, after = int(program.gates[cell, 4 + place]), cell + 1
    else:
        slot, after = int(program.inputs[fault.wire - 2]), 0
    if slot < 0:  # nothing reads it
        return program
    forced = [Op.OR if fault.value else Op.AND, slot, fault.value, 0, slot, 0]
    return replace(program, gates=np.insert(program.gates, after, np.array(forced, np.int32), axis=0))


def _run(circuit: Circuit, program: Program) -> Values:
    module, positions, count = core(), positions_of(circuit), 1 << circuit.input_bits
    if module is None:
        return _numpy.plane_values(_numpy.run(program, _numpy.number_planes(positions, 0, count)), count, circuit.signed)
    held = module.Program(program.gates, program.slots, program.inputs, program.outputs, program.signed)
    out: NDArray[np.int64] = np.empty(count, np.int64)
    module.circuit_values(held, positions, 0, out, threads(), isa())
    return out
