"""From Verilog or BLIF to a netlist unit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inexact import circuits
from inexact.circuits import Circuit
from inexact.core.errors import CircuitError, FormatError, MissingDependencyError
from inexact.importers._evidence import ADMISSIBLE, MARGIN
from inexact.importers._functions import declared
from inexact.importers._statement import Imported, Side, Statement
from inexact.importers._yosys import blif_of
from inexact.units import from_circuit
from inexact.units._base import MAX_WIDTH, MIN_WIDTH

PAIRS = 1 << 16
"""Operand pairs by which the sign of a wide unit is judged; up to 16 operand bits all pairs are taken."""


def import_netlist(path: Path, stated: Statement, *, top: str | None, limit_s: float) -> Imported:
    """A unit from BLIF, structural or behavioural Verilog. FormatError and CircuitError as `import_unit`."""
    circuit, notes = _read(path, top, limit_s)
    if len(circuit.inputs) != 2 or len(circuit.outputs) != 1:
        inputs, outputs = (", ".join(f"{b.name}[{b.width}]" for b in buses) or "none" for buses in (circuit.inputs, circuit.outputs))
        raise FormatError(
            f"{path} must have two operands and one result to be a multiplier; its inputs are {inputs}, its outputs {outputs}"
        )
    for bus in circuit.inputs:
        if not MIN_WIDTH <= bus.width <= MAX_WIDTH:
            raise FormatError(f"operands of {path} must be {MIN_WIDTH}..{MAX_WIDTH} bits wide, but {bus.name} has {bus.width}")
    first = stated.first or _first_by_name(circuit)
    signed, score, judged = _sign(circuit, path, stated)
    notes = (*notes, judged)
    if first is None and not _commutes(circuit):
        names = ", ".join(bus.name for bus in circuit.inputs)
        raise FormatError(
            f"the operand order of {path} must be known: its inputs are named {names}, and swapping them changes results; "
            "state which operand the first is with --first a (activation) or --first b (weight)"
        )
    notes = (*notes, f"input {circuit.inputs[1 if first == 'b' else 0].name} is the activation")
    if first == "b":
        circuit = _swapped(circuit)
    buses = [tuple(dataclasses.replace(b, signed=signed) for b in group) for group in (circuit.inputs, circuit.outputs)]
    unit = from_circuit(dataclasses.replace(circuit, inputs=buses[0], outputs=buses[1]))
    if stated.width is not None and stated.width != unit.width:
        raise FormatError(f"{path} has operands of {unit.width[0]}x{unit.width[1]} bits, not {stated.width[0]}x{stated.width[1]} as stated")
    return Imported(unit=unit, assumptions=notes, score=score)


def _read(path: Path, top: str | None, limit_s: float) -> tuple[Circuit, tuple[str, ...]]:
    if path.suffix.lower() == ".blif":
        return circuits.read_blif(path, top=top), ()
    try:
        return circuits.read_verilog(path, top=top), ("read as structural Verilog",)
    except CircuitError as structural:
        try:
            text = blif_of(path, top=top, limit_s=limit_s)
        except MissingDependencyError as missing:
            raise CircuitError(f"{structural}; as behavioural Verilog: {missing}") from structural
        return circuits.from_blif(text, file=str(path)), ("elaborated by Yosys as behavioural Verilog",)


def _first_by_name(circuit: Circuit) -> Side | None:
    swapped = declared("", (circuit.inputs[0].name, circuit.inputs[1].name)).swapped
    return {None: None, True: "b", False: "a"}[swapped]


def _swapped(circuit: Circuit) -> Circuit:
    """The same netlist with the input buses in the other order."""
    builder = circuits.Builder(circuit.name, simplify=False)
    wires = {bus.name: builder.input(bus.name, bus.width) for bus in reversed(circuit.inputs)}
    operands = [wires[bus.name] for bus in circuit.inputs]
    (result,) = builder.include(circuit, *operands)
    builder.output(circuit.outputs[0].name, result)
    return builder.build()


def _sign(circuit: Circuit, path: Path, stated: Statement) -> tuple[bool, float, str]:
    """Whether operands and result are two's complement, judged by which reading is nearer to multiplication."""
    patterns = [_sample(bus.width, side, circuit.input_bits) for side, bus in enumerate(circuit.inputs)]
    results = circuits.evaluate(_unsigned(circuit), *patterns)
    scores = {}
    for signed in (False, True):
        a, b = (_value(p, bus.width, signed=signed) for p, bus in zip(patterns, circuit.inputs, strict=True))
        exact = a * b
        scores[signed] = float(np.abs(_value(results, circuit.outputs[0].width, signed=signed) - exact).mean() / np.abs(exact).mean())
    if stated.signed is not None:
        return stated.signed, scores[stated.signed], f"mean error {scores[stated.signed]:.2%} of the mean product"
    best = min(scores, key=lambda signed: scores[signed])
    if scores[best] > ADMISSIBLE or scores[best] > MARGIN * scores[not best]:
        raise FormatError(
            f"{path} must plainly be a multiplier: read as unsigned its mean error is {scores[False]:.1%} of the mean product, "
            f"as signed {scores[True]:.1%}; state --signed or --unsigned"
        )
    return best, scores[best], f"read as {'signed' if best else 'unsigned'}: mean error {scores[best]:.2%} of the mean product"


def _commutes(circuit: Circuit) -> bool:
    """Whether swapping the operands changes nothing, for all pairs up to 16 bits together, else for a sample of them."""
    if circuit.inputs[0].width != circuit.inputs[1].width:
        return False
    a, b = (_sample(bus.width, side, circuit.input_bits) for side, bus in enumerate(circuit.inputs))
    plain = _unsigned(circuit)
    return bool(np.array_equal(circuits.evaluate(plain, a, b), circuits.evaluate(plain, b, a)))


def _sample(bits: int, side: int, together: int) -> NDArray[np.int64]:
    """Bit patterns of one operand: a grid axis when all pairs are few, else seeded random ones."""
    if together <= 16:
        axis = np.arange(1 << bits, dtype=np.int64)
        return axis[:, None] if side == 0 else axis[None, :]
    return np.random.default_rng(side).integers(0, 1 << bits, PAIRS, dtype=np.int64)


def _value(patterns: NDArray[np.int64], bits: int, *, signed: bool) -> NDArray[np.int64]:
    return np.where(patterns >> (bits - 1) & 1 == 1, patterns - (1 << bits), patterns) if signed else patterns


def _unsigned(circuit: Circuit) -> Circuit:
    inputs, outputs = (tuple(dataclasses.replace(b, signed=False) for b in group) for group in (circuit.inputs, circuit.outputs))
    return dataclasses.replace(circuit, inputs=inputs, outputs=outputs)
