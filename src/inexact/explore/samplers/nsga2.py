"""NSGA-II of pymoo on integer genomes: uniform crossover, random reset of genes, no duplicates, constraint dominance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from pymoo.algorithms.moo import nsga2 as pymoo_nsga2
from pymoo.core.mutation import Mutation
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.ux import UniformCrossover

from inexact.core.errors import require_range
from inexact.explore.samplers import samplers
from inexact.explore.samplers._base import Genome, Outcome, Proposals, Sampler, Task, random_genome
from inexact.explore.samplers._promise import promising


class Reset(Mutation):  # type: ignore[misc]
    """Each gene is redrawn with probability 1/L, at least one per genome, so that no offspring repeats its parent by inaction."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__(prob=1.0)
        self._sizes = np.asarray(sizes)

    def _do(self, problem: Any, x: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        rows, genes = x.shape
        chosen = random_state.random((rows, genes)) < 1.0 / genes
        chosen[np.arange(rows), random_state.integers(genes, size=rows)] = True
        fresh = random_state.integers(0, self._sizes, size=(rows, genes))
        return np.where(chosen, fresh, x)


@samplers.register("nsga2")
@final
@dataclass(frozen=True, kw_only=True)
class NSGA2(Sampler):
    """Non-dominated sorting genetic algorithm II. population: size of a generation, 4..10000.

    slack: violation up to which a genome counts as feasible; genomes just outside lead to those just inside.
    offers: offspring bred for each one that is tried, 1..1000; with a forecast, the most promising are tried (`_promise.promising`).
    The initial genomes are the first generation (cut or filled up with random ones to `population`).
    Reference: K. Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEVC 6(2) (2002),
    DOI 10.1109/4235.996017; implementation: J. Blank, K. Deb, "pymoo", IEEE Access 8 (2020), DOI 10.1109/ACCESS.2020.2990567.
    """

    population: int = 20
    slack: float = 2.0
    offers: int = 1

    def __post_init__(self) -> None:
        require_range("population", self.population, 4, 10_000)
        require_range("offers", self.offers, 1, 1000)

    def proposals(self, task: Task) -> Proposals:
        """Generation after generation; ends when pymoo finds no genome it has not in its population."""
        high = np.asarray(task.sizes) - 1
        problem = Problem(n_var=len(high), n_obj=task.objectives, n_ieq_constr=1, xl=np.zeros(len(high)), xu=high, vtype=int)
        algorithm = pymoo_nsga2.NSGA2(
            pop_size=self.population,
            n_offsprings=self.population * (1 if task.forecast is None else self.offers),
            sampling=self._first_generation(task),
            crossover=UniformCrossover(prob=0.9),
            mutation=Reset(task.sizes),
            eliminate_duplicates=True,
        )
        algorithm.setup(problem, termination=NoTermination(), seed=task.seed, verbose=False)
        told: dict[Genome, Outcome] = {}
        while algorithm.has_next():
            infills = algorithm.ask()
            if infills is None or len(infills) == 0:
                return
            genomes = [tuple(int(gene) for gene in row) for row in infills.get("X")]
            if task.forecast is not None and len(genomes) > self.population:
                places = {genome: place for place, genome in enumerate(genomes)}
                chosen = promising(genomes, told, task.forecast, slack=self.slack, count=self.population)
                genomes = chosen or genomes[: self.population]
                infills = infills[[places[genome] for genome in genomes]]
            outcomes: list[Outcome] = []
            for genome in genomes:
                told[genome] = yield genome
                outcomes.append(told[genome])
            infills.set("F", np.array([o.values for o in outcomes], dtype=float))
            infills.set("G", np.array([[max(0.0, o.violation - self.slack)] for o in outcomes], dtype=float))
            for individual in infills:
                individual.evaluated.update({"F", "G"})
            algorithm.tell(infills=infills)

    def _first_generation(self, task: Task) -> Any:
        chosen = dict.fromkeys(task.initial[: self.population])
        generator = np.random.default_rng(task.seed)
        for _ in range(20 * self.population):
            if len(chosen) >= self.population:
                break
            chosen.setdefault(random_genome(task.sizes, generator))
        return np.array(list(chosen), dtype=int)

    @classmethod
    def samples(cls) -> list[Sampler]:
        """A small and the default population."""
        return [cls(population=8), cls(population=8, offers=4), cls()]
