"""Whether two circuits compute the same: by simulation of all operands, beyond 32 input bits by SAT."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from inexact.circuits import _numpy
from inexact.circuits._builder import Builder
from inexact.circuits._circuit import Bus, Circuit
from inexact.circuits._program import compiled, core, isa, program_of, threads
from inexact.circuits._sat import Verdict, prove_equal
from inexact.circuits._simulate import evaluate, positions_of
from inexact.circuits.words import extend
from inexact.core.errors import CircuitError, MissingDependencyError

EXHAUSTIVE_BITS = 32
_NUMPY_BLOCK = 1 << 20
_TRIALS = 1 << 16


@final
@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """Answer of `equivalent`.

    verdict: "equal" and "different" are proved, "unknown" is neither; `reason` says why. method: "structure" (the same gates after
    simplification), "simulation" (exhaustive, or operands tried at random that differ) or "sat". counterexample: operand values, in the
    order of the first circuit's inputs, for which the results differ.
    """

    verdict: Verdict
    method: Literal["structure", "simulation", "sat"]
    counterexample: tuple[int, ...] | None = None
    reason: str = ""

    def __bool__(self) -> bool:
        return self.verdict == "equal"


def equivalent(p: Circuit, q: Circuit, *, seconds: float = 60.0) -> Equivalence:
    """Whether two circuits give the same value for all operands.

    Inputs are matched by name if both have the same names, else by order; matched buses must have equal widths. Results are compared
    as numbers: the shorter one is extended by its sign or by zeros. Up to 32 input bits all operands are simulated; beyond, SAT decides
    within about `seconds`, which suffices for adders and for circuits of similar structure.
    Raises CircuitError when the inputs do not match.
    """
    q = _matched(p, q)
    p, q = _same_width(p, q)
    miter, pairs = _miter(p, q)
    if not pairs:
        return Equivalence(verdict="equal", method="structure")
    if p.input_bits <= EXHAUSTIVE_BITS:
        index = _first_difference(p, q)
        return _told(p, index, "simulation")
    trial = _random_difference(p, q)
    if trial is not None:
        return Equivalence(verdict="different", method="simulation", counterexample=trial)
    try:
        verdict, pattern = prove_equal(miter, pairs, time.monotonic() + seconds)
    except MissingDependencyError as error:
        return Equivalence(verdict="unknown", method="sat", reason=str(error))
    if pattern is not None:
        return Equivalence(verdict=verdict, method="sat", counterexample=_operands(p, [(pattern >> i) & 1 for i in range(p.input_bits)]))
    reason = f"undecided after {seconds:g} s; {_TRIALS} random operands agree" if verdict == "unknown" else ""
    return Equivalence(verdict=verdict, method="sat", reason=reason)


def _matched(p: Circuit, q: Circuit) -> Circuit:
    """q with its inputs in the order of p's."""
    names = [bus.name for bus in p.inputs]
    order = list(range(len(q.inputs)))
    if sorted(names) == sorted(bus.name for bus in q.inputs):
        order = [[bus.name for bus in q.inputs].index(name) for name in names]
    if [bus.width for bus in p.inputs] != [q.inputs[side].width for side in order]:
        raise CircuitError(f"circuits to compare must have inputs of equal widths, but {p!r} and {q!r} differ")
    if order == list(range(len(order))):
        return q
    b = Builder(q.name)
    words = {side: b.input(q.inputs[side].name, q.inputs[side].width, signed=q.inputs[side].signed) for side in order}
    for bus, word in zip(q.outputs, b.include(q, *(words[side] for side in range(len(order)))), strict=True):
        b.output(bus.name, word, signed=bus.signed)
    return b.build()


def _same_width(p: Circuit, q: Circuit) -> tuple[Circuit, Circuit]:
    width = max(p.output_bits, q.output_bits)
    # an unsigned result beside a signed one needs a place for its sign
    if p.signed != q.signed and (p.output_bits if not p.signed else q.output_bits) == width:
        width += 1
    return _widened(p, width), _widened(q, width)


def _widened(circuit: Circuit, width: int) -> Circuit:
    wires = extend(tuple(circuit.output_wires.tolist()), width, signed=circuit.signed)
    return Circuit(circuit.name, circuit.inputs, (Bus("result", width, circuit.signed),), circuit.cells, np.array(wires, np.int32))


def _miter(p: Circuit, q: Circuit) -> tuple[Circuit, list[tuple[int, int]]]:
    """Both circuits on the same inputs, equal cells shared; and the pairs of result wires that are not the same wire already."""
    b = Builder("miter")
    words = [b.input(bus.name, bus.width) for bus in p.inputs]
    (x,), (y,) = b.include(p, *words), b.include(q, *words)
    b.output("same", [x[0]])
    differing = [(u, v) for u, v in zip(x, y, strict=True) if u != v]
    return b.unpruned(), differing


def _first_difference(p: Circuit, q: Circuit) -> int:
    """Least lane number with different results, or -1."""
    module, count = core(), 1 << p.input_bits
    if module is not None:
        places = positions_of(p)
        return int(module.circuit_difference(compiled(p), compiled(q), places, places, count, threads(), isa()))
    for first in range(0, count, _NUMPY_BLOCK):
        lanes = min(_NUMPY_BLOCK, count - first)
        planes = _numpy.number_planes(positions_of(p), first, lanes)
        left, right = (_numpy.plane_values(_numpy.run(program_of(c), planes), lanes, False) for c in (p, q))
        if (left != right).any():
            return first + int(np.flatnonzero(left != right)[0])
    return -1


def _told(p: Circuit, index: int, method: Literal["simulation"]) -> Equivalence:
    if index < 0:
        return Equivalence(verdict="equal", method=method)
    return Equivalence(
        verdict="different", method=method, counterexample=_operands(p, [(index >> place) & 1 for place in positions_of(p).tolist()])
    )


def _random_difference(p: Circuit, q: Circuit) -> tuple[int, ...] | None:
    rng = np.random.default_rng(0)
    operands = [rng.integers(*bus.range, _TRIALS, dtype=np.int64 if bus.signed else np.uint64, endpoint=True) for bus in p.inputs]
    left, right = (evaluate(circuit, *operands) for circuit in (p, _signs_of(q, p)))
    different = np.flatnonzero(left != right)
    return tuple(int(x[different[0]]) for x in operands) if different.size else None


def _signs_of(q: Circuit, p: Circuit) -> Circuit:
    """q with its operands read as p reads them."""
    return Circuit(q.name, p.inputs, q.outputs, q.cells, q.output_wires)


def _operands(p: Circuit, bits: list[int]) -> tuple[int, ...]:
    """Operand values of input bits in wire order."""
    values, place = [], 0
    for bus in p.inputs:
        value = sum(bit << i for i, bit in enumerate(bits[place : place + bus.width]))
        place += bus.width
        values.append(value - (1 << bus.width) if bus.signed and value >> (bus.width - 1) else value)
    return tuple(values)
