"""What a metric study says: rank correlations of every metric with the drop, what each adds to another, and the conclusion in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from inexact.core.errors import StudyError
from inexact.explore.metric_study import RECOVERIES
from inexact.metrics.ranking import FEWEST_RANKED, spearman

Floats = NDArray[np.float64]

RESAMPLES = 200
SIGNED = ("mean_error", "weighted mean_error")
"""Metrics whose size counts, not their sign."""
KNOWN = ("weighted rmse", "weighted mean_error")
"""What is taken as known for the partial correlations."""


@final
@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric, raw or corrected: means over groups (network, data, coding).

    spearman, kendall: with the drop. ci: 95 %, bootstrap over units, of spearman. partial: metric known -> rank correlation once it is
    known. lowest, highest: spearman over groups.
    """

    metric: str
    spearman: float
    ci: tuple[float, float]
    kendall: float
    partial: dict[str, float]
    lowest: float
    highest: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**vars(self), "ci": list(self.ci)}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Group:
    name: str
    units: tuple[str, ...]
    values: Floats  # [units, metrics]
    drops: Floats


def scores(rows: Sequence[dict[str, Any]], *, seed: int = 0) -> dict[str, list[Score]]:
    """raw and corrected -> the scores of all metrics, strongest first. Metrics that never vary in a group are left out of it.

    Raises StudyError when no group has enough units.
    """
    names = sorted({name for row in rows for name in row["metrics"]})
    return {stage: _scores(_groups(rows, names, stage), names, seed) for stage in RECOVERIES}


def _groups(rows: Sequence[dict[str, Any]], names: list[str], stage: str) -> list[_Group]:
    sorted_rows: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        sorted_rows.setdefault(f"{row['case']} {row['coding']}", []).append(row)
    found = []
    for name, members in sorted_rows.items():
        values = np.array([[row["metrics"][metric] for metric in names] for row in members])
        for metric in SIGNED:
            if metric in names:
                values[:, names.index(metric)] = np.abs(values[:, names.index(metric)])
        drops = np.array([row["drops"][stage] for row in members])
        if len(members) >= FEWEST_RANKED and np.ptp(drops) > 0:
            units = tuple(row["unit"] for row in members)
            found.append(_Group(name=name, units=units, values=values, drops=drops))
    if not found:
        raise StudyError(
            f"a metric study needs a network and coding with at least {FEWEST_RANKED} units that differ in drop; measure more units"
        )
    return found


def _scores(groups: list[_Group], names: list[str], seed: int) -> list[Score]:
    each = np.array([spearman(group.values, group.drops) for group in groups])  # [groups, metrics]
    spread = _bootstrap(groups, seed)
    partials = {known: _partial(groups, names.index(known)) for known in KNOWN if known in names}
    kendalls = np.array([[_kendall(group.values[:, i], group.drops) for i in range(len(names))] for group in groups])
    found = []
    for i, name in enumerate(names):
        if np.isnan(each[:, i]).all():
            continue
        low, high = np.nanpercentile(spread[:, i], [2.5, 97.5])
        found.append(
            Score(
                metric=name,
                spearman=float(np.nanmean(each[:, i])),
                ci=(float(low), float(high)),
                kendall=float(np.nanmean(kendalls[:, i])),
                partial={known: values[i] for known, values in partials.items() if known != name and np.isfinite(values[i])},
                lowest=float(np.nanmin(each[:, i])),
                highest=float(np.nanmax(each[:, i])),
            )
        )
    return sorted(found, key=lambda score: -abs(score.spearman))


def _kendall(values: Floats, drops: Floats) -> float:
    return float(kendalltau(values, drops).statistic) if np.ptp(values) > 0 else float("nan")


def _bootstrap(groups: list[_Group], seed: int) -> Floats:
    """[resamples, metrics], mean over groups; a unit is drawn in every group at once, since its errors are the same in all."""
    generator = np.random.default_rng(seed)
    units = sorted({unit for group in groups for unit in group.units})
    found = []
    for _ in range(RESAMPLES):
        counts = dict(zip(units, np.bincount(generator.integers(len(units), size=len(units)), minlength=len(units)), strict=True))
        drawn = []
        for group in groups:
            rows = np.repeat(np.arange(len(group.units)), [counts[unit] for unit in group.units])
            if len(rows) > 2:
                drawn.append(spearman(group.values[rows], group.drops[rows]))
        stacked = np.array(drawn)
        some = ~np.isnan(stacked).all(0)
        mean = np.full(stacked.shape[1], np.nan)
        mean[some] = np.nanmean(stacked[:, some], axis=0)
        found.append(mean)
    return np.array(found)


def _partial(groups: list[_Group], known: int) -> Floats:
    """Partial rank correlations of every metric with the drop, a metric known; mean over groups."""
    found = []
    for group in groups:
        with_drop = spearman(group.values, group.drops)
        with_known = spearman(group.values, group.values[:, known])
        rest = np.sqrt(np.maximum(0.0, (1 - with_known**2) * (1 - with_drop[known] ** 2)))
        top = with_drop - with_known * with_drop[known]
        found.append(np.divide(top, rest, out=np.full(len(top), np.nan), where=rest > 1e-6))
    stacked = np.array(found)
    some = ~np.isnan(stacked).all(0)
    mean = np.full(stacked.shape[1], np.nan)
    mean[some] = np.nanmean(stacked[:, some], axis=0)
    return mean


def conclusion(found: dict[str, list[Score]]) -> str:
    """What the scores say, in sentences made of the numbers."""
    parts = []
    for stage, text in (("raw", "Without correction"), ("corrected", "After the free correction")):
        ranked = found[stage]
        best = ranked[0]
        sentence = f"{text}, {best.metric} orders units most like the accuracy they cost ({_shown(best)})"
        others = [score for name in ("nmed", "mean_error", "mred", "error_probability") for score in ranked if score.metric == name]
        told = "; ".join(f"{score.metric} {_shown(score)}" for score in others if score is not best)
        parts.append(f"{sentence}; of the usual ones under uniform operands: {told}.")
        parts.append(_gain_of_weights(ranked))
        parts.append(_beyond(ranked))
    return " ".join(part for part in parts if part)


def _shown(score: Score) -> str:
    return f"{score.spearman:+.2f} [{score.ci[0]:+.2f}, {score.ci[1]:+.2f}]"


def _gain_of_weights(ranked: list[Score]) -> str:
    known = {score.metric: abs(score.spearman) for score in ranked}
    gains = {name: known[f"weighted {name}"] - value for name, value in known.items() if f"weighted {name}" in known}
    if not gains:
        return ""
    better = sum(gain > 0 for gain in gains.values())
    mean = float(np.mean(list(gains.values())))
    return f"Operand histograms of the network make {better} of {len(gains)} metrics better predictors, by {mean:+.2f} on average."


def _beyond(ranked: list[Score]) -> str:
    known = KNOWN[0]
    told = [(score.partial[known], score.metric) for score in ranked if known in score.partial]
    if not told:
        return ""
    value, name = max(told, key=lambda pair: abs(pair[0]))
    return f"Once {known} is known, {name} adds most (partial rank correlation {value:+.2f})."
