"""The search over a ladder of targets: each rung starts from the best circuit that already meets it."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits._circuit import Circuit
from inexact.circuits._program import isa
from inexact.circuits._simulate import table
from inexact.circuits.evolution._genome import Genome, Pairs, circuit_of, genome_of
from inexact.circuits.evolution._goal import METRICS, WEIGHTED, Costs, Goal
from inexact.circuits.synthesis._mapped import compiled_core
from inexact.core.errors import CheckpointError, SpecError
from inexact.core.files import sha256, write_text

SLICE = 5000
"""Generations between two looks at the clock, the progress and the checkpoint."""

SPARE = 16
"""Nodes beyond those of the seed circuit."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Evolved:
    """A circuit that meets `target`. metric: its value of the goal's metric. cost: um2, the sum of its cells before synthesis."""

    circuit: Circuit
    target: float
    metric: float
    cost: float


@final
@dataclass(frozen=True, kw_only=True)
class Settings:
    """generations: children per rung and island. islands: independent searches per rung, the cheapest result goes on; they run at once.

    operation: what the circuit approximates, "product" or "sum". seed: of all random numbers.
    """

    generations: int = 50_000
    islands: int = 1
    operation: str = "product"
    seed: int = 0


DEFAULT = Settings()


def evolve(
    circuit: Circuit,
    goal: Goal,
    targets: Sequence[float],
    costs: Costs,
    settings: Settings = DEFAULT,
    *,
    others: Sequence[Circuit] = (),
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Evolved]:
    """Circuits that cost as little as the search finds while the goal's metric stays at or below each target, in rising order.

    circuit: where the first rung starts; it must meet the smallest target. others: circuits of the same operands; a rung starts from the
    cheapest of them that meets its target where that costs less than the rung before. checkpoint: a file written every few thousand
    generations; when it is there, the search goes on from it and ends as if it had not been interrupted. progress: called with
    generations done and to do. The result depends on the seed and the settings, not on threads, instruction set or interruptions.

    Raises SpecError when the seed circuit violates the goal or targets are not positive, CircuitError for more than 16 operand bits,
    CheckpointError for the checkpoint of another search, OutputError when it cannot be written.
    """
    rungs = sorted(set(map(float, targets)))
    if not rungs or rungs[0] <= 0 or settings.generations < 1 or settings.islands < 1:
        raise SpecError(f"targets must be positive numbers, generations and islands 1 or more; targets were {list(targets)}")
    search = _Ladder(circuit, goal, costs, settings, rungs, others)
    search.check_seed(rungs[0])
    state = _State.load(checkpoint, search.identity) if checkpoint else _State([], [], [], search.identity)
    while len(state.done) < len(rungs):
        search.climb(state, checkpoint, progress)
    return [search.evolved(genome, target) for genome, target in zip(state.done, rungs, strict=True)]


def rates(
    circuit: Circuit, goal: Goal, target: float, costs: Costs, *, evaluations: int = 300, generations: int = 20_000
) -> tuple[float, ...]:
    """Per second of one thread: full evaluations of the circuit, children of a search from it, and those of them that were simulated."""
    search = _Ladder(circuit, goal, costs, DEFAULT, [target]).evolver(genome_of(circuit, SPARE, circuit.output_bits), 1)
    start = time.perf_counter()
    for _ in range(evaluations):
        search.evaluate()
    full = evaluations / (time.perf_counter() - start)
    start = time.perf_counter()
    search.run(generations, target)
    taken = time.perf_counter() - start
    return full, generations / taken, search.statistics[1] / taken


@final
@dataclass
class _State:
    """done: genomes of finished rungs. islands: [nodes, outputs, random state] of the rung at work. spent: generations of each."""

    done: list[Genome]
    islands: list[tuple[Genome, NDArray[np.uint64]]]
    spent: list[int]
    identity: str

    def save(self, path: Path) -> None:
        content = {
            "identity": self.identity,
            "done": [_plain(genome) for genome in self.done],
            "islands": [[_plain(genome), [str(word) for word in words.tolist()]] for genome, words in self.islands],
            "spent": self.spent,
        }
        write_text(path, json.dumps(content))

    @staticmethod
    def load(path: Path, identity: str) -> _State:
        """The state of a file, a fresh one when there is none. CheckpointError when it is that of another search, or unreadable."""
        if not path.exists():
            return _State([], [], [], identity)
        try:
            found = json.loads(path.read_text())
            same = found["identity"] == identity
            islands = [(_genome(g), np.array([int(word) for word in words], np.uint64)) for g, words in found["islands"]]
            state = _State([_genome(g) for g in found["done"]], islands, [int(x) for x in found["spent"]], identity)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} must be the checkpoint of an evolution, but cannot be read: {error}") from error
        if not same:
            raise CheckpointError(
                f"{path} is the checkpoint of an evolution with another seed circuit, goal or settings; remove it or choose another"
            )
        return state


@final
class _Ladder:
    """One search: the compiled evolvers and what they share."""

    def __init__(
        self, circuit: Circuit, goal: Goal, costs: Costs, settings: Settings, rungs: Sequence[float], others: Sequence[Circuit] = ()
    ) -> None:
        self.circuit, self.goal, self.costs, self.settings, self.rungs = circuit, goal, costs, settings, rungs
        self.pairs = Pairs(circuit, settings.operation)
        if goal.metric in WEIGHTED and self.pairs.widths[1] < 5:
            raise SpecError(f"{goal.metric} needs 5 bits of operand b, not {self.pairs.widths[1]}")
        self.start = genome_of(circuit, SPARE, circuit.output_bits)
        buses = [(bus.width, bus.signed) for bus in circuit.inputs]
        if any([(bus.width, bus.signed) for bus in other.inputs] != buses for other in others):
            raise SpecError(f"other circuits to start from must have the operands of {circuit.name}")
        self.others = [(self._judged(other), other) for other in others]
        described = (circuit.sha256, asdict(goal), costs.by_kind, asdict(settings), list(rungs), [other.sha256 for other in others])
        self.identity = sha256(json.dumps(described, sort_keys=True, default=str).encode())

    def evolver(self, genome: Genome, seed: int) -> Any:
        goal, pairs = self.goal, self.pairs
        rows = 1 << pairs.widths[0]
        weight_a = goal.weights(0, rows)
        return compiled_core().Evolver(
            genome.nodes,
            genome.outputs,
            pairs.operands,
            pairs.exact,
            pairs.zero,
            np.resize(weight_a, pairs.rows),
            goal.weights(1, 1 << pairs.widths[1]),
            self.costs.scaled(),
            self.circuit.signed,
            list(METRICS).index(goal.metric),
            goal.zero_exact,
            -1 if goal.wce is None else goal.wce,
            -1.0 if goal.bias is None else goal.bias,
            seed,
            isa(),
        )

    def _judged(self, circuit: Circuit) -> tuple[int, float]:
        """(cost, metric) of a circuit to start from; the metric is infinite where it breaks a constraint."""
        found = self.evolver(genome_of(circuit, SPARE, self.circuit.output_bits), 0)
        feasible, metric = found.evaluate()
        value = self._worst(circuit) if self.goal.metric == "wce" else metric
        return found.cost, value if feasible else math.inf

    def start_of(self, done: Sequence[Genome], target: float) -> Genome:
        """Where a rung starts: the cheapest circuit known that meets its target."""
        before = done[-1] if done else self.start
        cost = self.evolver(before, 0).cost
        cheaper = [(own, place) for place, ((own, metric), _) in enumerate(self.others) if metric <= target and own < cost]
        return genome_of(self.others[min(cheaper)[1]][1], SPARE, self.circuit.output_bits) if cheaper else before

    def check_seed(self, target: float) -> None:
        """SpecError when the seed circuit does not meet the constraints, or the smallest target."""
        found = self.evolver(self.start, 0)
        feasible, metric = found.evaluate()
        goal = self.goal
        bounds = [f"wce <= {goal.wce}" if goal.wce is not None else "", f"|mean error| <= {goal.bias:g}" if goal.bias is not None else ""]
        said = ", ".join(text for text in (*bounds, "zero_exact" if goal.zero_exact else "") if text)
        if not feasible:
            raise SpecError(
                f"the seed circuit {self.circuit.name} must meet the constraints ({said}), but does not; begin with an exact one"
            )
        if goal.metric == "wce":
            metric = self._worst(self.circuit)
        if metric > target:
            raise SpecError(
                f"the seed circuit {self.circuit.name} must meet the smallest target, {goal.metric} <= {target:g}, but has {metric:g}; "
                "begin with an exact one, or with larger targets"
            )

    def climb(self, state: _State, checkpoint: Path | None, progress: Callable[[int, int], None] | None) -> None:
        """One rung, in slices."""
        settings, rung = self.settings, len(state.done)
        start = self.start_of(state.done, self.rungs[rung])
        evolvers = []
        for island in range(settings.islands):
            found = self.evolver(start, (settings.seed * 1_000_003 + rung) * 1009 + island)
            if state.islands:
                genome, words = state.islands[island]
                found.restore(genome.nodes, genome.outputs)
                found.set_random(words)
            evolvers.append(found)
        spent = state.spent[0] if state.spent else 0
        with ThreadPoolExecutor(min(settings.islands, os.cpu_count() or 1)) as pool:
            while spent < settings.generations:
                step = min(SLICE, settings.generations - spent)
                list(pool.map(lambda e: e.run(step, self.rungs[rung]), evolvers))  # noqa: B023  consumed at once
                spent += step
                state.islands = [(_copied(e, start), _random(e)) for e in evolvers]
                state.spent = [spent]
                if progress is not None:
                    progress(rung * settings.generations + spent, len(self.rungs) * settings.generations)
                if checkpoint is not None:
                    state.save(checkpoint)
        best = min(range(len(evolvers)), key=lambda i: (evolvers[i].cost, i))
        state.done.append(_copied(evolvers[best], start))
        state.islands, state.spent = [], []
        if checkpoint is not None:
            state.save(checkpoint)

    def evolved(self, genome: Genome, target: float) -> Evolved:
        found = self.evolver(genome, 0)
        _, metric = found.evaluate()
        circuit = circuit_of(genome, self.circuit, f"evolved_{self.goal.metric}")
        value = self._worst(circuit) if self.goal.metric == "wce" else metric
        return Evolved(circuit=circuit, target=target, metric=float(value), cost=found.cost * 1e-4)

    def _worst(self, circuit: Circuit) -> float:
        values = [np.arange(1 << bus.width) for bus in circuit.inputs]
        a, b = (
            np.where(x >> (bus.width - 1) == 1, x - (1 << bus.width), x) if bus.signed else x
            for x, bus in zip(values, circuit.inputs, strict=True)
        )
        exact = np.multiply.outer(a, b) if self.settings.operation == "product" else np.add.outer(a, b)
        return float(np.abs(table(circuit) - exact).max())


def _copied(evolver: Any, like: Genome) -> Genome:
    """The parent of a search."""
    nodes, outputs = np.empty_like(like.nodes), np.empty_like(like.outputs)
    evolver.genome(nodes, outputs)
    return Genome(nodes, outputs)


def _random(evolver: Any) -> NDArray[np.uint64]:
    words = np.empty(4, np.uint64)
    evolver.get_random(words)
    return words


def _plain(genome: Genome) -> list[Any]:
    return [genome.nodes.tolist(), genome.outputs.tolist()]


def _genome(plain: list[Any]) -> Genome:
    return Genome(np.array(plain[0], np.int32).reshape(-1, 4), np.array(plain[1], np.int32))
