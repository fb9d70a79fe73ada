"""How good a forecast is: random plans forecast, then simulated on images that took no part in the forecast."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from inexact.core.errors import DataError
from inexact.explore import forecast_baselines as baselines
from inexact.explore.conformal import Conformal, calibrate
from inexact.explore.effects import Isolation, correct_alone
from inexact.explore.forecast import Forecaster
from inexact.explore.forecast_trials import Chosen, Floats, forecaster_of, random_plans, simulate
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.store import Store
from inexact.explore.watch import Silent, Watch
from inexact.metrics.ranking import spearman
from inexact.nn import Plan, Rule, approximate

LARGEST_DROP = 30.0
"""Points; plans that lose more are not ranked against each other: they are all useless."""
HELD_OUT = 200
"""Images the layers' errors are simulated on, none of them used in calibration."""
PAIRS = 200
"""(layer, rule) pairs whose errors are simulated."""
RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Point:
    """One judged plan: simulated drop, forecast and interval, in points."""

    drop: float
    forecast: float
    low: float
    high: float


@final
@dataclass(frozen=True, kw_only=True)
class Quality:
    """What a forecast is worth.

    images: the drops are measured on. spearman: name of a forecast -> its rank correlation with the drop over plans that lose at most
    `LARGEST_DROP` points, and the 95 % bootstrap interval. halves: that of drops on every second image with drops on the others.
    plans_per_second: forecasts of new plans of known rules. learn_ms: per (layer, rule) pair, of `pairs`. stds: (simulated, forecast,
    by one population) standard deviation of a layer's error, of some pairs.
    """

    images: int
    spearman: dict[str, tuple[float, float, float]]
    halves: float
    plans_per_second: float
    learn_ms: float
    pairs: int
    conformal: Conformal
    points: tuple[Point, ...]
    stds: tuple[tuple[float, float, float], ...]

    @property
    def ranked(self) -> int:
        """Plans the rank correlations are over."""
        return sum(point.drop <= LARGEST_DROP for point in self.points)

    @property
    def ceiling(self) -> float:
        """The rank correlation that a perfect forecast would have: drops are counted, so that they are uncertain themselves.

        Reference: the reliability of a whole from that of its halves, W. Brown, British J. Psychology 3 (1910),
        DOI 10.1111/j.2044-8295.1910.tb00207.x; its root bounds a correlation, C. Spearman, Am. J. Psychology 15 (1904),
        DOI 10.2307/1412159.
        """
        halves = max(0.0, self.halves)
        return float(np.sqrt(2 * halves / (1 + halves)))

    @property
    def covered(self) -> float:
        """Share of plans whose drop lies in its interval."""
        return float(np.mean([point.low <= point.drop <= point.high for point in self.points]))

    def std_within(self, column: int, share: float = 0.15) -> float:
        """Share of pairs whose error std a forecast meets within `share` of the simulated one. column: 1 ours, 2 one population."""
        return float(np.mean([abs(row[column] - row[0]) <= share * row[0] for row in self.stds]))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        drops = [point.drop for point in self.points]
        return {
            "plans": len(self.points),
            "ranked": self.ranked,
            "images": self.images,
            "median_drop": float(np.median(drops)),
            "spearman": {name: {"value": value, "ci": [low, high]} for name, (value, low, high) in self.spearman.items()},
            "halves": self.halves,
            "ceiling": self.ceiling,
            "covered": self.covered,
            "plans_per_second": self.plans_per_second,
            "learn_ms": self.learn_ms,
            "pairs": self.pairs,
            "conformal": self.conformal.to_json(),
            "std_pairs": len(self.stds),
            "std_within_15pct": {"forecast": self.std_within(1), "one population": self.std_within(2)},
            "points": [vars(point) for point in self.points],
        }


def judge(
    problem: NetworkProblem,
    *,
    plans: int,
    calibration_plans: int,
    images: int,
    seed: int,
    level: float = 0.9,
    store: Store | None = None,
    watch: Watch | None = None,
) -> Quality:
    """Forecast random plans and simulate them: the first `calibration_plans` on validation images, to calibrate; `plans` others on test
    images, of which the forecast has seen none, to judge.

    store: see `forecast_trials.simulate`. Raises DataError for too few plans or images.
    """
    watch = watch or Silent()
    drawn = random_plans(problem.candidates, problem.accounting.exact, calibration_plans + plans, seed)
    forecaster = forecaster_of(problem, images)
    wanted = {name: [plan[name] for plan in drawn] for name in problem.candidates}
    started = time.perf_counter()
    forecaster.learn(wanted, watch=watch)
    learn_ms = 1000 * (time.perf_counter() - started) / max(1, len(forecaster.known))
    raw, judged = forecaster.raw(drawn), drawn[calibration_plans:]
    known = simulate(problem, drawn[:calibration_plans], images, store=store, watch=watch)
    found = simulate(problem, judged, images, split="test", store=store, watch=watch)
    forecaster.calibrated = calibrate(raw[:calibration_plans], known.drops, level)
    scores = {"forecast": raw[calibration_plans:], **_scores(judged, simple := _simple(problem, wanted))}
    ranked, drops = found.drops <= LARGEST_DROP, found.drops
    return Quality(
        images=found.images,
        spearman={name: _spearman(values[ranked], drops[ranked], seed) for name, values in scores.items()},
        halves=_halves(found.lost[ranked]),
        plans_per_second=_speed(forecaster, seed),
        learn_ms=learn_ms,
        pairs=len(forecaster.known),
        conformal=forecaster.calibrated,
        points=_points(forecaster.calibrated, scores["forecast"], drops),
        stds=_stds(problem, forecaster, simple, seed),
    )


def _scores(plans: Sequence[Chosen], simple: Mapping[tuple[str, Rule], baselines.Simple]) -> dict[str, Floats]:
    """What the baselines say of plans, float64 [P] each."""
    return {
        "nmed": np.array([baselines.by_nmed(plan, simple) for plan in plans]),
        "one population": np.array([baselines.by_noise(plan, simple) for plan in plans]),
    }


def _halves(lost: Floats) -> float:
    """Rank correlation of the drops on every second image with those on the others."""
    found = float(spearman(lost[:, ::2].mean(1)[:, None], lost[:, 1::2].mean(1))[0])
    return found if np.isfinite(found) else 0.0


def _points(known: Conformal, raw: Floats, drops: Floats) -> tuple[Point, ...]:
    found = []
    for value, drop in zip(raw.tolist(), drops.tolist(), strict=True):
        low, high = known.interval(value)
        found.append(Point(drop=drop, forecast=known.drop(value), low=low, high=high))
    return tuple(found)


def _spearman(values: Floats, drops: Floats, seed: int) -> tuple[float, float, float]:
    """Rank correlation and its 95 % bootstrap interval; resamples in which nothing varies are left out."""
    if np.ptp(drops) == 0:
        raise DataError("plans that judge a forecast must differ in what they lose; draw more plans, or count on more images")
    generator = np.random.default_rng(seed)
    draws = [generator.integers(len(drops), size=len(drops)) for _ in range(RESAMPLES)]
    spread = [float(spearman(values[draw, None], drops[draw])[0]) for draw in draws]
    low, high = np.percentile([one for one in spread if np.isfinite(one)] or [0.0], [2.5, 97.5])
    found = float(spearman(values[:, None], drops)[0])
    return found if np.isfinite(found) else 0.0, float(low), float(high)


def _speed(forecaster: Forecaster, seed: int, count: int = 2000) -> float:
    """Forecasts per second of plans nobody saw, of rules that are known."""
    offers: dict[str, list[Rule]] = {}
    for name, rule in forecaster.known:
        offers.setdefault(name, []).append(rule)
    generator = np.random.default_rng(seed)
    plans = [{name: rules[int(generator.integers(len(rules)))] for name, rules in offers.items()} for _ in range(count)]
    started = time.perf_counter()
    forecaster.raw(plans)
    return count / (time.perf_counter() - started)


def _simple(problem: NetworkProblem, wanted: Mapping[str, Sequence[Rule]]) -> dict[tuple[str, Rule], baselines.Simple]:
    """The baselines' numbers of every (layer, rule)."""
    received = _received(problem)
    found: dict[tuple[str, Rule], baselines.Simple] = {}
    for rule in dict.fromkeys(rule for rules in wanted.values() for rule in rules):
        names = [name for name, rules in wanted.items() if rule in rules]
        net = approximate(problem.model, Plan(dict.fromkeys(names, rule)), calibrate=problem.calibration)
        found |= {(name, rule): one for name, one in baselines.simple(net, received).items()}
    return found


@torch.no_grad()
def _received(problem: NetworkProblem) -> dict[str, torch.Tensor]:
    """The input of each layer of the exact network on some calibration images."""
    net = approximate(problem.model, Plan(dict.fromkeys(problem.layers, problem.accounting.exact)), calibrate=problem.calibration)
    seen: dict[str, torch.Tensor] = {}
    for name, layer in net.layers().items():
        layer.register_forward_pre_hook(lambda _module, received, name=name: seen.__setitem__(name, received[0]))
    net(problem.calibration[:16])
    return seen


def _stds(
    problem: NetworkProblem, forecaster: Forecaster, simple: Mapping[tuple[str, Rule], baselines.Simple], seed: int
) -> tuple[tuple[float, float, float], ...]:
    """(simulated on new images, forecast, by one population) of random pairs of layers with weights."""
    unseen = Isolation(problem.model, problem.layers, problem.pools["validation"].images[-HELD_OUT:])
    keys = [key for key in forecaster.known if key in simple]
    found = []
    for index in np.random.default_rng(seed).permutation(len(keys))[:PAIRS]:
        name, rule = keys[index]
        net = approximate(problem.model, Plan({name: rule}), calibrate=problem.calibration)
        correct_alone(net, problem.calibration)
        layer = net.layers()[name]
        truth = unseen.effect(name, layer).error_std
        found.append((truth, forecaster.known[name, rule].error_std, simple[name, rule].std))
    return tuple(found)
