"""Builds circuits cell by cell; on the way constants are propagated, equal cells shared and unread ones dropped."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from inexact.circuits._circuit import CELL, FAN_OUT, ONE, ZERO, Bus, Circuit, Op, Wires
from inexact.core.errors import CircuitError


class Builder:
    """Makes a `Circuit`: declare inputs, place cells, declare outputs, `build()`.

    Wires are plain numbers, words are tuples of wires, least significant bit first; the constants are the wires `ZERO` and `ONE`.

    simplify: True propagates constants, shares equal cells and, in `build`, drops cells nobody reads (a full adder whose carry is
    unread becomes two XORs). False places every cell as it is asked for: what a reader of netlists wants.

    >>> b = Builder("parity")
    >>> x = b.input("x", 3)
    >>> b.output("y", [b.xor_(b.xor_(x[0], x[1]), x[2])])
    >>> b.build()
    Circuit('parity', x:u3 -> y:u1, 2 cells)
    """

    def __init__(self, name: str, *, simplify: bool = True) -> None:
        self.name = name
        self.simplify = simplify
        self._inputs: list[Bus] = []
        self._outputs: list[tuple[Bus, Wires]] = []
        self._cells: list[tuple[int, int, int, int, int]] = []
        self._next = 2
        self._known: dict[tuple[int, ...], int] = {}
        self._inverse: dict[int, int] = {ZERO: ONE, ONE: ZERO}

    def __len__(self) -> int:
        """Cells placed so far."""
        return len(self._cells)

    def input(self, name: str, width: int, *, signed: bool = False) -> Wires:
        """Declare an input bus and return its wires. All inputs come before the first cell."""
        if self._cells:
            raise CircuitError(f"input {name!r} must be declared before the first cell of {self.name}")
        self._inputs.append(Bus(name, width, signed))
        wires = tuple(range(self._next, self._next + width))
        self._next += width
        return wires

    def output(self, name: str, wires: Sequence[int], *, signed: bool = False) -> None:
        """Declare an output bus, least significant bit first."""
        self._outputs.append((Bus(name, len(wires), signed), tuple(wires)))

    def build(self) -> Circuit:
        """The circuit. Raises CircuitError when it has no output, two buses share a name or a wire does not exist."""
        circuit = self.unpruned()
        return _without_dead_cells(circuit) if self.simplify else circuit

    def unpruned(self) -> Circuit:
        """The circuit with every cell placed so far, read or not; its wires are the builder's."""
        wires = [wire for _, word in self._outputs for wire in word]
        cells = np.array(self._cells, dtype=CELL)
        return Circuit(self.name, tuple(self._inputs), tuple(bus for bus, _ in self._outputs), cells, np.array(wires, np.int32))

    def not_(self, x: int) -> int:
        """Inverse of x."""
        if self.simplify and x in self._inverse:
            return self._inverse[x]
        out = self._cell(Op.NOT, x)
        self._inverse[x], self._inverse[out] = out, x
        return out

    def and_(self, x: int, y: int) -> int:
        """Both."""
        folded = self._fold_and(x, y)
        return self._pair(Op.AND, x, y) if folded is None else folded

    def nand_(self, x: int, y: int) -> int:
        """Not both."""
        folded = self._fold_and(x, y)
        return self._pair(Op.NAND, x, y) if folded is None else self.not_(folded)

    def or_(self, x: int, y: int) -> int:
        """At least one."""
        folded = self._fold_or(x, y)
        return self._pair(Op.OR, x, y) if folded is None else folded

    def nor_(self, x: int, y: int) -> int:
        """Neither."""
        folded = self._fold_or(x, y)
        return self._pair(Op.NOR, x, y) if folded is None else self.not_(folded)

    def xor_(self, x: int, y: int) -> int:
        """Exactly one."""
        folded = self._fold_xor(x, y)
        return self._pair(Op.XOR, x, y) if folded is None else folded

    def xnor_(self, x: int, y: int) -> int:
        """Both or neither."""
        folded = self._fold_xor(x, y)
        return self._pair(Op.XNOR, x, y) if folded is None else self.not_(folded)

    def mux(self, select: int, zero: int, one: int) -> int:  # noqa: PLR0911  one line a rule
        """`one` when select is 1, else `zero`."""
        if not self.simplify:
            return self._cell(Op.MUX, select, zero, one)
        if zero == one or select == ZERO:
            return zero
        if select == ONE:
            return one
        if zero in {ZERO, select}:
            return self.and_(select, one)
        if one in {ONE, select}:
            return self.or_(select, zero)
        if one == ZERO:
            return self.and_(self.not_(select), zero)
        if zero == ONE:
            return self.or_(self.not_(select), one)
        if self._inverse.get(zero) == one:
            return self.xor_(select, zero)
        return self._cell(Op.MUX, select, zero, one)

    def half_adder(self, x: int, y: int) -> tuple[int, int]:
        """(sum, carry) of two bits."""
        if self.simplify and (x == y or min(x, y) <= ONE or self._inverse.get(x) == y):
            return self.xor_(x, y), self.and_(x, y)
        out = self._cell(Op.HALF, *sorted((x, y)) if self.simplify else (x, y))
        return out, out + 1

    def full_adder(self, x: int, y: int, z: int) -> tuple[int, int]:
        """(sum, carry) of three bits; with a constant among them it shrinks to a half adder or an XNOR and an OR."""
        if not self.simplify:
            out = self._cell(Op.FULL, x, y, z)
            return out, out + 1
        low, middle, high = sorted((x, y, z))
        if low == ZERO:
            return self.half_adder(middle, high)
        if low == ONE:
            return self.xnor_(middle, high), self.or_(middle, high)
        for first, second, rest in ((low, middle, high), (middle, high, low), (low, high, middle)):
            if first == second:
                return rest, first
            if self._inverse.get(first) == second:
                return self.not_(rest), rest
        out = self._cell(Op.FULL, low, middle, high)
        return out, out + 1

    def constant(self, value: int, width: int) -> Wires:
        """`value` modulo 2**width as a word of constant wires."""
        return tuple(ONE if (value >> bit) & 1 else ZERO for bit in range(width))

    def place(self, op: Op, sources: Sequence[int]) -> Wires:
        """The cell `op` on `sources`; returns its one or two output wires."""
        single = {
            Op.NOT: self.not_, Op.AND: self.and_, Op.OR: self.or_, Op.XOR: self.xor_, Op.NAND: self.nand_, Op.NOR: self.nor_,
            Op.XNOR: self.xnor_, Op.MUX: self.mux,
        }  # fmt: skip
        if op is Op.HALF:
            return self.half_adder(*sources)
        if op is Op.FULL:
            return self.full_adder(*sources)
        return (single[op](*sources),)  # type: ignore[operator]

    def include(self, circuit: Circuit, *words: Sequence[int]) -> tuple[Wires, ...]:
        """Place a whole circuit on the given words, one per input bus (each of the bus' width); returns the words of its output buses."""
        widths = [len(word) for word in words]
        if widths != [bus.width for bus in circuit.inputs]:
            raise CircuitError(f"{circuit!r} must be given words of its input widths, not of {widths} bits")
        wire_of = [ZERO, ONE, *(wire for word in words for wire in word)]
        for op, sources, _ in circuit.gates():
            wire_of.extend(self.place(op, [wire_of[source] for source in sources]))
        return tuple(tuple(wire_of[wire] for wire in circuit.bus_wires(side)) for side in range(len(circuit.outputs)))

    def _cell(self, op: Op, *sources: int) -> int:
        key = (op, *sources)
        if self.simplify and key in self._known:
            return self._known[key]
        if any(not 0 <= source < self._next for source in sources):
            raise CircuitError(f"a cell of {self.name} must read wires that exist (0..{self._next - 1}), not {list(sources)}")
        out = self._next
        first, second, third, *_ = *sources, -1, -1
        self._cells.append((int(op), first, second, third, out))
        self._next += FAN_OUT[op]
        self._known[key] = out
        return out

    def _pair(self, op: Op, x: int, y: int) -> int:
        return self._cell(op, min(x, y), max(x, y)) if self.simplify else self._cell(op, x, y)

    def _fold_and(self, x: int, y: int) -> int | None:
        if not self.simplify:
            return None
        if ZERO in {x, y} or self._inverse.get(x) == y:
            return ZERO
        if x in {ONE, y}:
            return y
        return x if y == ONE else None

    def _fold_or(self, x: int, y: int) -> int | None:
        if not self.simplify:
            return None
        if ONE in {x, y} or self._inverse.get(x) == y:
            return ONE
        if x in {ZERO, y}:
            return y
        return x if y == ZERO else None

    def _fold_xor(self, x: int, y: int) -> int | None:
        if not self.simplify:
            return None
        if x == y:
            return ZERO
        if self._inverse.get(x) == y:
            return ONE
        for constant, other in ((x, y), (y, x)):
            if constant <= ONE:
                return self.not_(other) if constant == ONE else other
        return None


def simplified(circuit: Circuit) -> Circuit:
    """The same function with constants propagated, equal cells shared and unread cells dropped."""
    builder = Builder(circuit.name)
    words = [builder.input(bus.name, bus.width, signed=bus.signed) for bus in circuit.inputs]
    for bus, word in zip(circuit.outputs, builder.include(circuit, *words), strict=True):
        builder.output(bus.name, word, signed=bus.signed)
    return builder.build()


def _without_dead_cells(circuit: Circuit) -> Circuit:
    """Unread cells dropped and half-read adders split, until nothing changes."""
    while True:
        read = _read_wires(circuit)
        cells = [(op, sources, out) for op, sources, out in circuit.gates() if any(read[out : out + FAN_OUT[op]])]
        if len(cells) == len(circuit.cells) and all(all(read[out : out + FAN_OUT[op]]) for op, _, out in cells):
            return circuit
        builder = Builder(circuit.name)
        wire_of = [ZERO] * circuit.wires
        wire_of[ONE] = ONE
        for side, bus in enumerate(circuit.inputs):
            for old, new in zip(circuit.input_wires(side), builder.input(bus.name, bus.width, signed=bus.signed), strict=True):
                wire_of[old] = new
        for op, sources, out in cells:
            placed = _place_read(builder, op, [wire_of[wire] for wire in sources], read[out : out + FAN_OUT[op]])
            wire_of[out : out + FAN_OUT[op]] = placed
        wires = np.array([wire_of[wire] for wire in circuit.output_wires.tolist()], np.int32)
        circuit = Circuit(circuit.name, circuit.inputs, circuit.outputs, np.array(builder._cells, dtype=CELL), wires)


def _read_wires(circuit: Circuit) -> list[bool]:
    read = [False] * circuit.wires
    for wire in circuit.output_wires.tolist():
        read[wire] = True
    for op, sources, out in reversed(list(circuit.gates())):
        if any(read[out : out + FAN_OUT[op]]):
            for wire in sources:
                read[wire] = True
    return read


def _place_read(b: Builder, op: Op, sources: list[int], read: list[bool]) -> Wires:
    """The cell, or for an adder with one unread output the gates of the other."""
    if all(read):
        return b.place(op, sources)
    if read[0]:
        return (functools.reduce(b.xor_, sources), ZERO)
    carry = b.and_(sources[0], sources[1])
    return (ZERO, carry if op is Op.HALF else b.or_(carry, b.and_(sources[2], b.or_(sources[0], sources[1]))))
