"""Honest differences between netlists of one function: other gates for the same logic."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from inexact.circuits import Builder, Circuit, Op, Wires

Rewrite = Callable[[Builder, Sequence[int]], Wires]


def rewritten(circuit: Circuit, *, share: float, seed: int) -> Circuit:
    """The same function with about `share` of its cells made of others (De Morgan, XOR of NANDs, adders of gates), drawn by `seed`."""
    generator = np.random.default_rng(seed)
    b = Builder(circuit.name, simplify=False)
    wire_of = [0, 1, *(wire for bus in circuit.inputs for wire in b.input(bus.name, bus.width, signed=bus.signed))]
    for op, sources, _ in circuit.gates():
        mapped = [wire_of[source] for source in sources]
        wire_of.extend(_OTHERS[op](b, mapped) if op in _OTHERS and generator.random() < share else b.place(op, mapped))
    for side, bus in enumerate(circuit.outputs):
        b.output(bus.name, [wire_of[wire] for wire in circuit.bus_wires(side)], signed=bus.signed)
    return b.build()


def _and(b: Builder, s: Sequence[int]) -> Wires:
    return (b.nor_(b.not_(s[0]), b.not_(s[1])),)


def _or(b: Builder, s: Sequence[int]) -> Wires:
    return (b.nand_(b.not_(s[0]), b.not_(s[1])),)


def _xor(b: Builder, s: Sequence[int]) -> Wires:
    middle = b.nand_(s[0], s[1])
    return (b.nand_(b.nand_(s[0], middle), b.nand_(s[1], middle)),)


def _mux(b: Builder, s: Sequence[int]) -> Wires:
    return (b.or_(b.and_(s[0], s[2]), b.and_(b.not_(s[0]), s[1])),)


def _half(b: Builder, s: Sequence[int]) -> Wires:
    return b.xor_(s[0], s[1]), b.and_(s[0], s[1])


def _full(b: Builder, s: Sequence[int]) -> Wires:
    either = b.xor_(s[0], s[1])
    return b.xor_(either, s[2]), b.or_(b.and_(s[0], s[1]), b.and_(either, s[2]))


_OTHERS: dict[Op, Rewrite] = {Op.AND: _and, Op.OR: _or, Op.XOR: _xor, Op.MUX: _mux, Op.HALF: _half, Op.FULL: _full}
