"""How many traces disclose the weights of a layer on each unit: repeated attacks, success rates, traces to disclosure, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.errors import DataError
from inexact.metrics import Mean, mean_of
from inexact.nn import ApproxModel
from inexact.security._seeds import part_seed
from inexact.security.leakage import NETLIST, Leakage, leakages
from inexact.security.record import Record
from inexact.security.side_channel import Element, elements, noise_of, recover_weights, require_snr, traces_of

Floats = NDArray[np.float64]
Rows = list[list[float]]
"""(share of weights right, mean rank) for every number of traces."""

FEWEST = 32
LEVELS = (0.8, 0.9)
RESAMPLES = 2000


@final
@dataclass(frozen=True, kw_only=True)
class DisclosureSettings:
    """layer, filters: whose weights (all filters when empty). leakage: spec. snr: of a sample, on the first unit; all have the same noise.

    traces: most of them; 32, 64, … are tried up to it. repetitions: each with windows and noise of its own. seed: of both.
    """

    layer: str
    filters: tuple[int, ...] = ()
    leakage: str = "accumulator_distance"
    snr: float = 0.1
    traces: int = 4096
    repetitions: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.traces < 1:
            raise DataError(f"traces must be at least 1, not {self.traces}")
        require_snr(self.snr)
        if self.leakage != NETLIST:
            leakages.get(self.leakage)

    def grid(self) -> list[int]:
        """Numbers of traces tried."""
        return [FEWEST << step for step in range(40) if FEWEST << step < self.traces] + [self.traces]


@final
@dataclass(frozen=True, kw_only=True)
class Traces:
    """Traces to disclosure: the fewest tried from which on the success rate stays at `level` or above; None: more than were tried.

    low, high: 95 % bootstrap interval over filters and repetitions, None likewise.
    """

    level: float
    value: int | None
    low: int | None
    high: int | None

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"level": self.level, "traces": self.value, "ci": [self.low, self.high]}

    def shown(self, most: int) -> str:
        """As "512 [256, 1024]"."""
        value, low, high = (f"> {most}" if count is None else str(count) for count in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class UnitDisclosure:
    """One unit. distinct: candidate weights that differ for some activation. unknown_bits: what even infinitely many traces leave unknown
    of a weight of the layer, mean of log2 of how many candidates equal it.

    right: [attacks, grid], share of a filter's weights recovered, up to equal ones. rank: [attacks, grid], mean rank of the true weight.
    """

    distinct: int
    unknown_bits: float
    right: Floats
    rank: Floats

    def success(self) -> list[Mean]:
        """Success rate of one weight for every number of traces, over filters and repetitions."""
        return [mean_of(column.tolist()) for column in self.right.T]

    def guessing_entropy(self) -> list[Mean]:
        """Mean rank of the true weight for every number of traces."""
        return [mean_of(column.tolist()) for column in self.rank.T]

    def whole(self) -> list[float]:
        """Share of attacks that recovered the whole filter."""
        return [float(share) for share in (self.right == 1).mean(axis=0)]

    def traces(self, level: float, grid: Sequence[int]) -> Traces:
        """Traces to disclosure at a success rate."""
        drawn = np.random.default_rng(0).integers(0, len(self.right), (RESAMPLES, len(self.right)))
        places = np.sort([_first(self.right[rows].mean(axis=0), level) for rows in drawn])
        low, high = places[int(0.025 * RESAMPLES)], places[int(0.975 * RESAMPLES)]
        value, *ends = ((*grid, None)[place] for place in (_first(self.right.mean(axis=0), level), int(low), int(high)))
        return Traces(level=level, value=value, low=ends[0], high=ends[1])


def _first(success: Floats, level: float) -> int:
    """The first place from which on all are at least `level`; one past the end when there is none."""
    below = np.flatnonzero(success < level)
    return int(below[-1]) + 1 if len(below) else 0


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Disclosure:
    """What attacks on every unit gave. noise: standard deviation in bits."""

    settings: DisclosureSettings
    noise: float
    units: Mapping[str, UnitDisclosure]

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        grid = self.settings.grid()
        found = {}
        for name, unit in self.units.items():
            found[name] = {
                "distinct_weights": unit.distinct,
                "unknown_bits": unit.unknown_bits,
                "success": [mean.to_json() for mean in unit.success()],
                "guessing_entropy": [mean.to_json() for mean in unit.guessing_entropy()],
                "whole_filters": unit.whole(),
                "disclosure": [unit.traces(level, grid).to_json() for level in LEVELS],
            }
        return {"traces_tried": grid, "noise_bits": self.noise, "found": found, "conclusion": self.sentences()}

    def sentences(self) -> list[str]:
        """One for every unit; those after the first against it, at the traces that disclose 80 % of its weights."""
        grid, most = self.settings.grid(), self.settings.traces
        (first, reference), *others = self.units.items()
        at = min(_first(reference.right.mean(axis=0), LEVELS[0]), len(grid) - 1)
        sentences = [_said(first, reference, grid, most)]
        for name, unit in others:
            gap = mean_of((100 * (unit.right - reference.right)[:, at]).tolist())
            shown = f"at {grid[at]} traces {gap.mean:+.1f} [{gap.low:+.1f}, {gap.high:+.1f}] points of weights recovered against {first}"
            verdict = "It leaks more" if gap.low > 0 else "It leaks less" if gap.high < 0 else "No difference is shown"
            sentences.append(f"{_said(name, unit, grid, most)} {verdict}: {shown}.")
        return sentences


def _said(name: str, unit: UnitDisclosure, grid: Sequence[int], most: int) -> str:
    reached = ", ".join(f"{100 * level:.0f} % of weights after {unit.traces(level, grid).shown(most)} traces" for level in LEVELS)
    return f"{name}: {reached}; {unit.distinct} different weights, {unit.unknown_bits:.2f} bits of each stay unknown."


def attacks_of(
    cases: Mapping[str, Mapping[int, Element]],
    settings: DisclosureSettings,
    attack: Callable[[str, Element, int], Rows],
    *,
    record: Record,
    progress: Callable[[int, int], None],
) -> dict[str, Floats]:
    """float64 [attacks, grid, 2] of every unit: share of weights right and mean rank, of each filter and repetition in turn.

    cases: by unit, then by filter. attack: of (unit, element, seed). record: keeps finished attacks.
    """
    found: dict[str, list[Rows]] = {name: [] for name in cases}
    total = sum(map(len, cases.values())) * settings.repetitions
    for name, of_filter in cases.items():
        for number, element in of_filter.items():
            for repetition in range(settings.repetitions):
                seed = part_seed(settings.seed, 1000 * repetition + number)
                found[name].append(record.part(f"{name} {number} {repetition}", partial(attack, name, element, seed)))
                progress(sum(map(len, found.values())), total)
    return {name: np.array(rows) for name, rows in found.items()}


def disclosure(
    nets: Mapping[str, ApproxModel],
    images: Tensor,
    settings: DisclosureSettings,
    *,
    record: Record,
    progress: Callable[[int, int], None],
) -> Disclosure:
    """Attack the layer on every unit with the same windows of `images` and the same noise. record: keeps finished attacks."""
    leakage, grid = leakages.get(settings.leakage), settings.grid()
    cases = {name: elements(net, settings.layer, images, settings.filters) for name, net in nets.items()}
    first = next(iter(cases.values()))
    whole = [element.drawn(min(len(element.activations), settings.traces), 0) for element in first.values()]
    noise = noise_of([element.signal(leakage) for element in whole], settings.snr)

    def attack(_unit: str, element: Element, seed: int) -> Rows:
        return _attacked(element.drawn(settings.traces, seed), leakage, grid, noise, seed)

    found = attacks_of(cases, settings, attack, record=record, progress=progress)
    units = {}
    for name, of_filter in cases.items():
        held = list(of_filter.values())
        units[name] = unit_disclosure(held[0].equal_columns(), held, found[name])
    return Disclosure(settings=settings, noise=noise, units=units)


def _attacked(element: Element, leakage: Leakage, grid: Sequence[int], noise: float, seed: int) -> Rows:
    """(share of weights right, mean rank) for every number of traces."""
    traces, true = traces_of(element.signal(leakage), noise, seed), element.equal_columns()[element.weights]
    rows = []
    for count in grid:
        recovered = recover_weights(element.first(count), traces[:count], leakage)
        rows.append([float((recovered.weights == true).mean()), float(recovered.rank.mean())])
    return rows


def unit_disclosure(classes: NDArray[np.int64], of_filter: Sequence[Element], results: Floats) -> UnitDisclosure:
    """What attacks on a unit gave.

    classes: int64 [weights that can be stored], equal for those that the unit treats alike. results: as of `attacks_of`.
    """
    sizes = np.bincount(classes)
    stored = np.concatenate([element.weights for element in of_filter])
    return UnitDisclosure(
        distinct=len(np.unique(classes)),
        unknown_bits=math.fsum(np.log2(sizes[classes[stored]])) / len(stored),
        right=results[:, :, 0],
        rank=results[:, :, 1],
    )
