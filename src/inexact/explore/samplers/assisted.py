"""NSGA-II helped by a forecast: it breeds on the forecast for free and spends real trials near the constraint's boundary."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo import nsga2 as pymoo_nsga2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.ux import UniformCrossover
from pymoo.optimize import minimize

from inexact.core.errors import SpecError, near, require_range
from inexact.explore.samplers import samplers
from inexact.explore.samplers._base import FAILED, Genome, Outcome, Proposals, Sampler, Task, random_genome
from inexact.explore.samplers._promise import promising
from inexact.explore.samplers.nsga2 import NSGA2, Reset

PICKS = ("limit", "volume")

NEAR = (0.4, 1.6)
"""Forecast risks tried, as multiples of the risk at which the constraint is believed to break: one genome is worth several times another
of the same forecast, so both sides of the boundary are tried."""


@samplers.register("assisted")
@final
@dataclass(frozen=True, kw_only=True)
class Assisted(Sampler):
    """Surrogate-assisted NSGA-II: each batch of trials is taken from the front of an inner NSGA-II that sees only the forecast.

    batch: trials between two inner searches, 1..10000. population, generations: of the inner search, 4..10000 and 1..10000.
    pick: what a batch is made of. "limit": three quarters have a forecast risk around the boundary that the trials so far suggest, cheapest
    first; the rest spread over the whole front. "volume": genomes that should add most to the volume that the trials so far dominate, up to
    `slack` beyond the constraint. Without a forecast it is plain `nsga2`.

    Reference: Y. Jin, "Surrogate-assisted evolutionary computation", Swarm and Evolutionary Computation 1(2) (2011),
    DOI 10.1016/j.swevo.2011.05.001 (individual-based evolution control); NSGA-II: DOI 10.1109/4235.996017.
    """

    batch: int = 12
    population: int = 60
    generations: int = 30
    pick: str = "limit"
    slack: float = 2.0

    def __post_init__(self) -> None:
        require_range("batch", self.batch, 1, 10_000)
        require_range("population", self.population, 4, 10_000)
        require_range("generations", self.generations, 1, 10_000)
        if self.pick not in PICKS:
            raise SpecError(f"pick must be {' or '.join(PICKS)}, not {self.pick!r}{near(self.pick, PICKS)}")

    def proposals(self, task: Task) -> Proposals:
        """The initial genomes, then batch after batch; ends when the inner search finds nothing new and the space is exhausted."""
        if task.forecast is None:
            yield from NSGA2().proposals(task)
            return
        told: dict[Genome, Outcome] = {}
        guess = _Guess(task)
        for genome in task.initial or ((0,) * len(task.sizes),):
            told[genome] = yield genome
        for round_number in itertools.count():
            front = self._inner_front(task, guess, told, task.seed + round_number)
            generator = np.random.default_rng([task.seed, round_number])
            chosen = self._select(front, guess, told) or _unseen(task, told, generator, self.batch)
            if not chosen:
                return
            for genome in chosen:
                told[genome] = yield genome

    @classmethod
    def samples(cls) -> list[Sampler]:
        """Small inner searches."""
        return [cls(batch=8, population=20, generations=8), cls(batch=8, population=8, generations=2, pick="volume")]

    def _inner_front(self, task: Task, guess: _Guess, told: Mapping[Genome, Outcome], seed: int) -> list[Genome]:
        generator = np.random.default_rng(seed)
        start = dict.fromkeys((*told, *task.hints))
        for _ in range(20 * self.population):
            if len(start) >= self.population:
                break
            start.setdefault(random_genome(task.sizes, generator))
        algorithm = pymoo_nsga2.NSGA2(
            pop_size=self.population,
            sampling=np.array(list(start), dtype=int),
            crossover=UniformCrossover(prob=0.9),
            mutation=Reset(task.sizes),
            eliminate_duplicates=True,
        )
        result = minimize(guess, algorithm, ("n_gen", self.generations), seed=seed, verbose=False)
        return sorted({tuple(int(gene) for gene in row) for row in np.atleast_2d(result.pop.get("X"))})

    def _select(self, front: list[Genome], guess: _Guess, told: Mapping[Genome, Outcome]) -> list[Genome]:
        fresh = [genome for genome in front if genome not in told]
        if not fresh:
            return []
        if self.pick == "volume":
            return promising(fresh, told, guess, slack=self.slack, count=self.batch)
        rows = np.array(guess(fresh))
        measured = {genome: outcome.violation <= 0 for genome, outcome in told.items() if outcome.violation < FAILED}
        judged = [(row[0], holds) for row, holds in zip(guess(measured), measured.values(), strict=True)]
        limit = _boundary(judged) if judged else float(np.median(rows[:, 0]))
        near = max(1, 3 * self.batch // 4)
        chosen: dict[int, None] = {}
        for target in limit * np.geomspace(*NEAR, near):
            order = np.lexsort((rows[:, 0], rows[:, 1], rows[:, 0] > target))
            chosen.update(dict.fromkeys([int(i) for i in order if int(i) not in chosen][:1]))
        logs = np.log(np.maximum(rows[:, 0], 1e-12))
        for target in np.linspace(logs.min(), logs.max(), self.batch - near + 2)[1:-1]:
            nearest = np.argsort(np.abs(logs - target), kind="stable")
            chosen.update(dict.fromkeys([int(i) for i in nearest if int(i) not in chosen][:1]))
        return [fresh[i] for i in chosen][: self.batch]


class _Guess(Problem):  # type: ignore[misc]
    """The forecast as a pymoo problem; every genome is asked for once. The risk enters by its logarithm, so that crowding spreads it."""

    def __init__(self, task: Task) -> None:
        high = np.asarray(task.sizes) - 1
        super().__init__(n_var=len(high), n_obj=task.objectives, xl=np.zeros(len(high)), xu=high, vtype=int)
        self._task = task
        self._known: dict[Genome, tuple[float, ...]] = {}

    def __call__(self, genomes: Iterable[Genome]) -> list[tuple[float, ...]]:
        """The forecasts of genomes."""
        wanted = list(genomes)
        fresh = [genome for genome in dict.fromkeys(wanted) if genome not in self._known]
        if fresh and self._task.forecast is not None:
            self._known |= zip(fresh, self._task.forecast(fresh), strict=True)
        return [self._known[genome] for genome in wanted]

    def _evaluate(self, x: NDArray[Any], out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        rows = np.array(self(tuple(int(gene) for gene in row) for row in x), dtype=float)
        rows[:, 0] = np.log(np.maximum(rows[:, 0], 1e-12))
        out["F"] = rows


def _boundary(judged: Iterable[tuple[float, bool]]) -> float:
    """The risk that best tells genomes that hold from those that do not: fewest on the wrong side, the largest such risk."""
    known = sorted(judged)
    cuts = [known[0][0] / 2, *(math.sqrt(max(a, 1e-12) * max(b, 1e-12)) for (a, _), (b, _) in itertools.pairwise(known)), known[-1][0] * 2]
    wrong = [sum(holds != (risk <= cut) for risk, holds in known) for cut in cuts]
    return max(cut for cut, errors in zip(cuts, wrong, strict=True) if errors == min(wrong))


def _unseen(task: Task, told: Mapping[Genome, Outcome], generator: np.random.Generator, count: int) -> list[Genome]:
    """Random genomes nobody measured, for a space so small that the inner front is exhausted."""
    found: dict[Genome, None] = {}
    for _ in range(50 * count):
        genome = random_genome(task.sizes, generator)
        if genome not in told:
            found.setdefault(genome)
        if len(found) == count:
            break
    return list(found)
