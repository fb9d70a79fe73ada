"""Proof that pairs of wires of one circuit are equal: clauses of the cells, and SAT sweeping from the inputs up."""

from __future__ import annotations

import importlib
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import _numpy
from inexact.circuits._circuit import FAN_OUT, Circuit, Op
from inexact.circuits._program import Program
from inexact.core.errors import MissingDependencyError

Verdict = Literal["equal", "different", "unknown"]

SOLVER = "glucose4"
_SWEEP_CONFLICTS = 200
_ROUND_CONFLICTS = 5000
_PATTERN_WORDS = 64


def prove_equal(circuit: Circuit, pairs: Sequence[tuple[int, int]], deadline: float) -> tuple[Verdict, int | None]:
    """Whether both wires of every pair are equal for all inputs; with "different" also an input pattern that shows it.

    Wires that agree on random patterns are proved equal from the inputs up, each proof resting on those below: two circuits for one
    function usually share many inner values. deadline: `time.monotonic()` at which to give up with "unknown".
    Raises MissingDependencyError without the package python-sat.
    """
    try:
        solvers = importlib.import_module("pysat.solvers")
    except ImportError as error:
        raise MissingDependencyError("equivalence beyond 32 input bits needs python-sat: pip install 'inexact[sat]'") from error
    with solvers.Solver(name=SOLVER, bootstrap_with=list(_clauses(circuit))) as solver:
        for wire, twin, inverse in _candidates(circuit):
            if time.monotonic() > deadline:
                return "unknown", None
            _differ(solver, wire + 1, -(twin + 1) if inverse else twin + 1, _SWEEP_CONFLICTS, None)
        for x, y in pairs:
            found = _differ(solver, x + 1, y + 1, _ROUND_CONFLICTS, deadline)
            if found is None:
                return "unknown", None
            if found:
                model = solver.get_model()
                return "different", sum(1 << bit for bit in range(circuit.input_bits) if model[2 + bit] > 0)
        return "equal", None


def _differ(solver: Any, x: int, y: int, conflicts: int, deadline: float | None) -> bool | None:
    """Whether literals x and y can differ; None when undecided. What is proved equal becomes a clause. The model stays in the solver."""
    for assumptions in ([x, -y], [-x, y]):
        while True:
            solver.conf_budget(conflicts)
            answer = solver.solve_limited(assumptions=assumptions)
            if answer is not None:
                break
            if deadline is None or time.monotonic() > deadline:
                return None
        if answer:
            return True
        solver.add_clause([-literal for literal in assumptions])
    return False


def _candidates(circuit: Circuit) -> Iterator[tuple[int, int, bool]]:
    """(wire, earlier wire, whether inverse) for wires that agree on random patterns, in topological order."""
    first: dict[bytes, int] = {}
    for wire, plane in enumerate(_random_planes(circuit)):
        inverse = bool(plane[0] & np.uint64(1))
        key = (~plane if inverse else plane).tobytes()
        twin = first.setdefault(key, wire if not inverse else ~wire)
        earlier, other = (twin, False) if twin >= 0 else (~twin, True)
        if earlier != wire:
            yield wire, earlier, inverse != other


def _random_planes(circuit: Circuit) -> NDArray[np.uint64]:
    """Every wire's value in 4096 random patterns."""
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 1 << 64, (circuit.input_bits, _PATTERN_WORDS), dtype=np.uint64)
    rows = [(op, *sources, *[0] * (3 - len(sources)), out, out + 1) for op, sources, out in circuit.gates()]
    gates = np.array(rows, np.int32).reshape(-1, 6)
    wires = np.arange(circuit.wires, dtype=np.int32)
    # every wire is its own slot and an output
    return _numpy.run(Program(gates, circuit.wires, wires[2 : 2 + circuit.input_bits], wires, False), inputs)


def _clauses(circuit: Circuit) -> Iterator[list[int]]:
    """Clauses of every cell; wire w is variable w + 1."""
    yield [-1]
    yield [2]
    for op, sources, out in circuit.gates():
        variables = [wire + 1 for wire in sources]
        for place in range(FAN_OUT[op]):
            for bits in itertools.product((0, 1), repeat=len(sources)):
                value = _outputs(op, bits)[place]
                # the inputs being so forces the output
                yield [*(-v if bit else v for v, bit in zip(variables, bits, strict=True)), (out + place + 1) * (1 if value else -1)]


def _outputs(op: Op, bits: Sequence[int]) -> tuple[int, ...]:
    x, y, z = (*bits, 0, 0)[:3]
    if op in {Op.HALF, Op.FULL}:
        return (x + y + z) & 1, (x + y + z) >> 1
    return ((1 - x, x & y, x | y, x ^ y, 1 - (x & y), 1 - (x | y), 1 - (x ^ y), z if x else y)[op],)
