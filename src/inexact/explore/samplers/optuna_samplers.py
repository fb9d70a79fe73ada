"""Optuna's samplers behind the ask/tell face: tree-structured Parzen estimator and NSGA-II. Needs the extra `optuna`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from inexact.core.errors import MissingDependencyError, require_range
from inexact.explore.samplers import samplers
from inexact.explore.samplers._base import Outcome, Proposals, Sampler, Task


def _optuna() -> Any:
    need = "samplers optuna_tpe and optuna_nsga2 need optuna 5 or newer; install the extra with: pip install 'inexact[optuna]'"
    try:
        optuna = importlib.import_module("optuna")
    except ImportError as error:
        raise MissingDependencyError(need) from error
    # Version 5 brought constraints per trial; the function of version 4 is deprecated.
    if int(optuna.__version__.split(".")[0]) < 5:
        raise MissingDependencyError(f"{need} (found {optuna.__version__})")
    return optuna


def _run(make: Callable[[Any], Any], task: Task, slack: float) -> Proposals:
    optuna = _optuna()
    # Optuna reports each trial and each study through its own logger; a library stays silent.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize"] * task.objectives, sampler=make(optuna))
    space = {f"layer{i}": optuna.distributions.CategoricalDistribution(range(size)) for i, size in enumerate(task.sizes)}
    for genome in task.initial:
        study.enqueue_trial({f"layer{i}": gene for i, gene in enumerate(genome)})
    while True:
        trial = study.ask(space)
        outcome: Outcome = yield tuple(int(trial.params[f"layer{i}"]) for i in range(len(task.sizes)))
        trial.set_constraint("violation", outcome.violation - slack)
        study.tell(trial, list(outcome.values))


@samplers.register("optuna_tpe")
@final
@dataclass(frozen=True, kw_only=True)
class OptunaTPE(Sampler):
    """Multi-objective tree-structured Parzen estimator. startup: random trials before the model is used, 1..10000.
    slack: violation up to which a genome counts as feasible; genomes just outside lead to those just inside.

    Reference: Y. Ozaki et al., "Multiobjective tree-structured Parzen estimator", JAIR 73 (2022), DOI 10.1613/jair.1.13188;
    implementation: T. Akiba et al., "Optuna", KDD 2019, DOI 10.1145/3292500.3330701.
    """

    startup: int = 10
    slack: float = 2.0

    def __post_init__(self) -> None:
        require_range("startup", self.startup, 1, 10_000)

    def proposals(self, task: Task) -> Proposals:
        """Categorical genes; infeasible outcomes are modelled as such."""

        def make(optuna: Any) -> Any:
            return optuna.samplers.TPESampler(seed=task.seed, n_startup_trials=self.startup)

        return _run(make, task, self.slack)


@samplers.register("optuna_nsga2")
@final
@dataclass(frozen=True, kw_only=True)
class OptunaNSGA2(Sampler):
    """Optuna's NSGA-II. population: size of a generation, 4..10000.
    slack: violation up to which a genome counts as feasible.

    Reference: K. Deb et al., NSGA-II, IEEE TEVC 6(2) (2002), DOI 10.1109/4235.996017;
    implementation: T. Akiba et al., "Optuna", KDD 2019, DOI 10.1145/3292500.3330701.
    """

    population: int = 20
    slack: float = 2.0

    def __post_init__(self) -> None:
        require_range("population", self.population, 4, 10_000)

    def proposals(self, task: Task) -> Proposals:
        """Categorical genes, constraint dominance."""

        def make(optuna: Any) -> Any:
            return optuna.samplers.NSGAIISampler(population_size=self.population, seed=task.seed)

        return _run(make, task, self.slack)
