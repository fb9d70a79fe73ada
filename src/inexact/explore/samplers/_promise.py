"""Rank many, simulate few: which offers should add most to the volume that the measured genomes dominate, by a forecast of each."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray
from pymoo.indicators.hv import HV

from inexact.explore.samplers._base import FAILED, Forecast, Genome, Outcome

Floats = NDArray[np.float64]

FLOOR = 0.5
"""Added to a forecast where its error is scaled, in the unit of the first objective: forecasts near zero err too."""
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the errors of forecasts so far: what an offer may turn out to be."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Believed:
    """What measured genomes say of forecasts. factor: first objective over forecast risk. errors: float64 [Q], quantiles of
    (measured - factor * risk) / (FLOOR + factor * risk). worst: float64 [objectives], the corner that volume is counted from.
    front: float64 [n, objectives], what was measured within it.
    """

    factor: float
    errors: Floats
    worst: Floats
    front: Floats

    @classmethod
    def of(cls, told: Mapping[Genome, Outcome], forecast: Forecast, slack: float) -> Self | None:
        """From outcomes; None when none of them breaks the constraint by less than `slack`: then there is nothing to build on.

        The corner is the constraint plus `slack`, and in the other objectives the worst of what was measured within that.
        """
        known = {genome: outcome for genome, outcome in told.items() if outcome.violation < FAILED}
        good = [outcome for outcome in known.values() if outcome.violation < slack]
        if not good:
            return None
        risks = np.array([row[0] for row in forecast(list(known))])
        values = np.array([outcome.values for outcome in known.values()], dtype=np.float64)
        limit = good[0].values[0] - good[0].violation + slack
        inside = np.array([outcome.values for outcome in good], dtype=np.float64)
        worst = np.array([limit, *inside[:, 1:].max(0)])
        factor = _factor(risks, values[:, 0])
        expected = factor * risks
        errors = np.quantile((values[:, 0] - expected) / (FLOOR + expected), QUANTILES)
        return cls(factor=factor, errors=errors, worst=worst, front=_clipped(inside))

    def points(self, row: tuple[float, ...]) -> Floats:
        """float64 [Q, objectives], what a genome with this forecast may turn out to be."""
        expected = self.factor * row[0]
        found = np.tile(np.asarray(row, dtype=np.float64), (len(self.errors), 1))
        found[:, 0] = expected + self.errors * (FLOOR + expected)
        return _clipped(found)

    def gain(self, points: Floats, front: Floats) -> float:
        """Expected volume that points [Q, objectives] add to what the front dominates, each alone."""
        volume = HV(ref_point=self.worst)
        total = 0.0
        for point in points:
            if (point < self.worst).all():
                total += float(np.prod(self.worst - point)) - float(volume(np.maximum(front, point)))
        return total / len(points)


def promising(offers: Iterable[Genome], told: Mapping[Genome, Outcome], forecast: Forecast, *, slack: float, count: int) -> list[Genome]:
    """At most `count` of the offers, the most promising first: each should add most to those measured and to those before it.

    Offers that should add nothing come last, least risk first. Without anything measured within `slack`, all go by risk.
    Reference: M. Emmerich, K. Giannakoglou, B. Naujoks, "Single- and multiobjective evolutionary optimization assisted by Gaussian random
    field metamodels", IEEE TEVC 10(4) (2006), DOI 10.1109/TEVC.2005.859463 (pre-screening by expected improvement of the volume; here
    by any forecast, with the spread its errors had so far).
    """
    fresh = [genome for genome in dict.fromkeys(offers) if genome not in told]
    rows = dict(zip(fresh, forecast(fresh), strict=True))
    by_risk = sorted(rows, key=lambda genome: (rows[genome], genome))
    believed = Believed.of(told, forecast, slack)
    if believed is None:
        return by_risk[:count]
    found = _greedy({genome: believed.points(rows[genome]) for genome in by_risk}, believed, count)
    return [*found, *(genome for genome in by_risk if genome not in set(found))][:count]


def _greedy(clouds: Mapping[Genome, Floats], believed: Believed, count: int) -> list[Genome]:
    """The volume added only shrinks as the front grows, so a gain is worked out anew only when it comes first."""
    front, found, step = believed.front, list[Genome](), 0
    heap = [(-believed.gain(points, front), step, genome) for genome, points in clouds.items()]
    heapq.heapify(heap)
    while heap and len(found) < count:
        gain, known_at, genome = heapq.heappop(heap)
        if gain >= 0:
            break
        if known_at < step:
            heapq.heappush(heap, (-believed.gain(clouds[genome], front), step, genome))
            continue
        found.append(genome)
        front, step = np.vstack([front, np.median(clouds[genome], axis=0)]), step + 1
    return found


def _factor(risks: Floats, values: Floats) -> float:
    """The factor with the least sum of |value - factor * risk| / (FLOOR + |value|): a weighted median of ratios."""
    used = risks > 0
    if not used.any():
        return 1.0
    ratios, weights = values[used] / risks[used], risks[used] / (FLOOR + np.abs(values[used]))
    order = np.argsort(ratios, kind="stable")
    below = np.cumsum(weights[order])
    middle = float(ratios[order][np.searchsorted(below, below[-1] / 2)])
    return max(middle, 1e-12)


def _clipped(points: Floats) -> Floats:
    """Accuracy won is luck: it counts as none lost."""
    found = points.copy()
    found[:, 0] = np.maximum(found[:, 0], 0.0)
    return found
