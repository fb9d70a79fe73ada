"""Circuits as genomes: nodes with two signals each, and back."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import FAN_IN, FAN_OUT, Circuit, Op
from inexact.core.errors import CircuitError

MAX_INPUT_BITS = 16
MIN_LANES = 512
"""Pairs that a search looks at; narrower operands are repeated."""


@final
class Genome:
    """nodes: int32 `[n, 4]`, kind and three signals; outputs: int32, a signal per result bit.

    Signals: 0 and 1 are constants, then the operands' bits, then two per node (the second is the carry of an adder).
    """

    def __init__(self, nodes: NDArray[np.int32], outputs: NDArray[np.int32]) -> None:
        self.nodes = nodes
        self.outputs = outputs


def genome_of(circuit: Circuit, spare: int, bits: int) -> Genome:
    """The circuit with `spare` nodes more at its end, which nothing reads yet, and a result of `bits` bits, extended by sign or zeros.

    Raises CircuitError when the circuit's result has more.
    """
    if circuit.output_bits > bits:
        raise CircuitError(f"{circuit.name} must have a result of at most {bits} bits to start from, not {circuit.output_bits}")
    signals = list(range(2 + circuit.input_bits))
    rows: list[list[int]] = []
    for op, sources, _ in circuit.gates():
        first = 2 + circuit.input_bits + 2 * len(rows)
        rows.append([int(op), *(signals[wire] for wire in sources), *([0] * (3 - len(sources)))])
        signals += [first, first + 1][: FAN_OUT[op]]
    rows += [[int(Op.AND), 2, 3, 0]] * spare
    outputs = [signals[wire] for wire in circuit.output_wires.tolist()]
    outputs += [outputs[-1] if circuit.signed else 0] * (bits - len(outputs))
    return Genome(np.array(rows, np.int32).reshape(-1, 4), np.array(outputs, np.int32))


def circuit_of(genome: Genome, like: Circuit, name: str) -> Circuit:
    """The circuit a genome describes, with the buses of `like`; unread nodes are dropped, constants propagated."""
    b = Builder(name)
    wires: dict[int, int] = {0: 0, 1: 1}
    for bus in like.inputs:
        for wire in b.input(bus.name, bus.width, signed=bus.signed):
            wires[len(wires)] = wire
    first = len(wires)
    for number, (kind, *sources) in enumerate(genome.nodes.tolist()):
        op = Op(kind)
        placed = b.place(op, [wires[source] for source in sources[: FAN_IN[op]]])
        wires |= {first + 2 * number + place: wire for place, wire in enumerate(placed)}
    place = 0
    for bus in like.outputs:
        b.output(bus.name, [wires[s] for s in genome.outputs[place : place + bus.width].tolist()], signed=bus.signed)
        place += bus.width
    return b.build()


@final
class Pairs:
    """All pairs of operands of a circuit as planes: bit k of a plane is pair k, a in the high bits of k."""

    def __init__(self, circuit: Circuit, operation: str) -> None:
        if len(circuit.inputs) != 2:
            raise CircuitError(f"only circuits of two operands can be evolved, but {circuit!r} has {len(circuit.inputs)}")
        if circuit.input_bits > MAX_INPUT_BITS:
            raise CircuitError(f"operands must have at most {MAX_INPUT_BITS} bits together to be evolved, not {circuit.input_bits}")
        self.widths = tuple(bus.width for bus in circuit.inputs)
        count = 1 << circuit.input_bits
        number = np.arange(max(count, MIN_LANES), dtype=np.int64) % count
        a, b = number >> self.widths[1], number & ((1 << self.widths[1]) - 1)
        values = [
            np.where(x >> (w - 1) == 1, x - (1 << w), x) if bus.signed else x
            for x, w, bus in zip((a, b), self.widths, circuit.inputs, strict=True)
        ]
        exact = values[0] * values[1] if operation == "product" else values[0] + values[1]
        exact_bits = sum(self.widths) if operation == "product" else max(self.widths) + 1 + int(circuit.signed)
        self.bits = max(exact_bits, circuit.output_bits) + 1
        self.operands = np.concatenate([_planes(a, self.widths[0]), _planes(b, self.widths[1])])
        self.exact = _planes(exact, self.bits)
        self.zero = _planes(((a == 0) | (b == 0)).astype(np.int64), 1)[0]
        self.rows = len(number) >> self.widths[1]


def _planes(values: NDArray[np.int64], bits: int) -> NDArray[np.uint64]:
    """`[bits, pairs / 64]`."""
    planes = [np.packbits(((values >> bit) & 1).astype(np.uint8), bitorder="little").view(np.uint64) for bit in range(bits)]
    return np.ascontiguousarray(np.stack(planes))
