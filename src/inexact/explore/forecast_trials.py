"""Random plans, simulated: what a forecast is calibrated by and judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import DataError
from inexact.explore.forecast import Forecaster
from inexact.explore.ledger import Ledger
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.store import Store
from inexact.explore.watch import Silent, Watch
from inexact.nn import Plan, Rule

Floats = NDArray[np.float64]
Chosen = dict[str, Rule]


def random_plans(candidates: Mapping[str, Sequence[Rule]], exact: Rule, count: int, seed: int) -> list[Chosen]:
    """Plans random in what and how much: each draws a share; a layer takes, with that probability, a random candidate, else `exact`."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        share = generator.random()
        found.append(
            {
                name: rules[int(generator.integers(len(rules)))] if generator.random() < share else exact
                for name, rules in candidates.items()
            }
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Simulated drops of some plans, against float32, on the first images of a split.

    lost: float64 [P, images], 1 where float32 was right and the plan is wrong, -1 the other way round, else 0.
    """

    lost: Floats

    @property
    def images(self) -> int:
        """Images every plan was measured on."""
        return int(self.lost.shape[1])

    @property
    def drops(self) -> Floats:
        """float64 [P], in points."""
        found: Floats = 100 * self.lost.mean(1)
        return found


def simulate(
    problem: NetworkProblem, plans: Sequence[Chosen], images: int, *, split: str = "validation", store: Store | None = None, watch: Watch
) -> Trials:
    """Build, repair and measure every plan on the first images of a split.

    store: answers what it holds of this problem, and keeps the rest, so that a run which was stopped goes on.
    Raises DataError when there is nothing to measure on.
    """
    images = min(images, problem.images(split))
    if not images:
        raise DataError(f"{split} data must leave images to measure on after calibration; give more images or a smaller calibration")
    if store is None:
        with Store(":memory:") as forgotten:
            return simulate(problem, plans, images, split=split, store=forgotten, watch=watch)
    ledger = Ledger(problem, store)
    right = ledger.reference(split, "float32", Silent())[:images].astype(np.float64)
    watch.stage("simulate plans", len(plans))
    lost = []
    for plan in plans:
        lost.append(right - ledger.measure(Plan(plan), split, images).correct[:images])
        watch.step()
    return Trials(lost=np.array(lost))


def forecaster_of(problem: NetworkProblem, images: int) -> Forecaster:
    """A forecaster that counts answers on the images trials are measured on."""
    pool = problem.pools["validation"].part(0, images)
    return Forecaster(problem.model, calibration=problem.calibration, counted=pool.images, labels=pool.labels)
