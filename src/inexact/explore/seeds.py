"""Where a search begins: plans the ranking predicts to be good, from one or two rules or units network-wide up to a rule per layer.

For a set of allowed rules and a price on impact, the plan that minimises energy + price * impact splits into one choice per layer
(Lagrangian relaxation), so thousands of plans cost a few array operations. Of those, the predicted Pareto front in
(impact, energy, area) is kept and thinned evenly along the logarithm of impact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from inexact.explore.accounts import Total
from inexact.explore.pareto import non_dominated
from inexact.explore.samplers import Genome
from inexact.explore.space import Space
from inexact.nn import Rule
from inexact.units import Multiplier

FIRST = 12
"""Genomes that span the predicted front."""
PRICES = 16
HARMLESS, RUINOUS = 1e-4, 0.3
"""Predicted error power in the logits, over their own power, between which plans are interesting: below, nothing is lost worth
measuring; above, the error is of the size of the signal."""

Cost = Callable[[Genome], Total]


def initial_genomes(space: Space, cost: Cost, count: int) -> list[Genome]:
    """At most `count` genomes: all exact, then `FIRST` - 1 of the predicted front that span it evenly, then the rest of that front.

    cost: energy and area of the design of a genome. Early exits are joined to the plans of the front without them. Deterministic.
    """
    exact: Genome = (0,) * len(space.sizes)
    closed = () if space.exits is None else (0,)
    front = _front(space, sorted({(*genes, *closed) for genes in _relaxed(space)} - {exact}), cost)
    if space.exits is not None:
        opened = {space.settled((*genome[:-1], gene)) for _, genome in [(0.0, exact), *front] for gene in range(space.sizes[-1])}
        front = _front(space, sorted(opened - {exact}), cost)
    if not front or count < 2:
        return [exact][:count]
    first = _spread_by_impact(front, FIRST - 1)
    rest = [genome for _, genome in sorted(front) if genome not in first]
    return [exact, *first, *rest][:count]


def _front(space: Space, genomes: list[Genome], cost: Cost) -> list[tuple[float, Genome]]:
    """Those that no other beats in (impact, energy, area), with their impact."""
    if not genomes:
        return []
    impacts, costs = [space.impact(genome) for genome in genomes], [cost(genome) for genome in genomes]
    rows = np.array([(i, c.energy_pj, c.area_um2) for i, c in zip(impacts, costs, strict=True)])
    return [(impacts[i], genomes[i]) for i in np.flatnonzero(non_dominated(rows))]


def _spread_by_impact(ranked: list[tuple[float, Genome]], count: int) -> list[Genome]:
    """`count` genomes at evenly spaced log impacts, nearest first, no repeats; from harmless to ruinous."""
    usable = [pair for pair in sorted(ranked) if pair[0] <= RUINOUS] or sorted(ranked)[:1]
    logs = np.log([max(impact, HARMLESS) for impact, _ in usable])
    chosen: dict[int, None] = {}
    for target in np.linspace(logs.max(), logs.min(), min(count, len(usable))):
        order = np.argsort(np.abs(logs - target), kind="stable")
        chosen.setdefault(next(int(i) for i in order if int(i) not in chosen))
    return [usable[i][1] for i in chosen]


def _relaxed(space: Space) -> set[Genome]:
    """Price-optimal genomes for every set of one or two rules (plus exact), of few units, and without restriction."""
    rules = list(dict.fromkeys(option.rule for layer in space.layers for option in layer.options))
    energy, impact, gene = _tables(space, rules)
    prices = _prices(energy, impact)
    every = range(1, len(rules))
    allowed: Iterable[tuple[int, ...]] = itertools.chain(
        itertools.combinations(every, 1), itertools.combinations(every, 2), _few_units(rules), [tuple(every)]
    )
    found: set[Genome] = set()
    for members in dict.fromkeys(allowed):
        columns = np.array([0, *members])
        for price in prices:
            for start in (0, 1):  # with and without the exact unit: leaving it out spares its area
                costs = energy[:, columns[start:]] + price * impact[:, columns[start:]]
                if not np.isfinite(costs.min(axis=1, initial=np.inf)).all():
                    continue
                best = columns[start:][np.argmin(costs, axis=1)]
                found.add(tuple(int(gene[layer, rule]) for layer, rule in enumerate(best)))
    return found


def _few_units(rules: list[Rule]) -> Iterable[tuple[int, ...]]:
    """Sets of rules one exact multiplier serves, narrow operands leaving its upper bits at rest; alone, and beside one other unit.

    Plans of many small units look cheap layer by layer; what stands idle in every processing element, and chooses among them, is paid by
    the whole plan.
    """
    served: dict[str, list[int]] = {}
    others: dict[str | Multiplier, list[int]] = {}
    for index, rule in enumerate(rules):
        if index and rule.exact:
            served.setdefault(rule.coding, []).append(index)
        elif index:
            others.setdefault(rule.multiplier, []).append(index)
    for members in served.values():
        yield tuple(members)
        for more in others.values():
            yield tuple(sorted((*members, *more)))


def _tables(space: Space, rules: list[Rule]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Energy, impact and option index of every (layer, rule); infinite where the layer does not offer the rule."""
    shape = (len(space.layers), len(rules))
    energy, impact, gene = np.full(shape, math.inf), np.zeros(shape), np.zeros(shape, dtype=np.int64)
    column = {rule: i for i, rule in enumerate(rules)}
    for row, layer in enumerate(space.layers):
        for index, option in enumerate(layer.options):
            at = (row, column[option.rule])
            energy[at], impact[at], gene[at] = option.energy_pj, option.impact, index
    return energy, impact, gene


def _prices(energy: NDArray[np.float64], impact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Prices in pJ per unit of impact that span every exchange the tables offer."""
    scale = float(energy[:, 0].sum()) or 1.0
    positive = impact[impact > 0]
    if not positive.size:
        return np.zeros(1)
    return np.concatenate([[0.0], np.geomspace(1e-3 * scale, 10 * scale / float(np.median(positive)), PRICES)])
