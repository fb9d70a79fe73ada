"""How good a forecast is: random plans forecast, then simulated."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from inexact.core.errors import DataError
from inexact.explore import forecast_baselines as baselines
from inexact.explore.conformal import Conformal, calibrate
from inexact.explore.effects import Isolation
from inexact.explore.forecast import Forecaster
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.watch import Silent, Watch
from inexact.metrics.ranking import spearman
from inexact.nn import Plan, Rule, approximate, correct_answers

Floats = NDArray[np.float64]
Chosen = dict[str, Rule]

LARGEST_DROP = 30.0
"""Points; plans that lose more are not ranked against each other: they are all useless."""
HELD_OUT = 200
"""Images the layers' errors are simulated on, none of them used in calibration."""
PAIRS = 200
"""(layer, rule) pairs whose errors are simulated."""
RESAMPLES = 1000


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
    """Simulated drops [P] in points of some plans, against float32, on `images` validation images."""

    plans: list[Chosen]
    drops: Floats
    images: int


def simulate(problem: NetworkProblem, plans: Sequence[Chosen], images: int, watch: Watch | None = None) -> Trials:
    """Build, repair and measure every plan. Raises DataError when there is nothing to measure on."""
    pool = problem.pools["validation"]
    part = pool.part(0, min(images, len(pool)))
    if not len(part):
        raise DataError("validation data must leave images to measure on after calibration; give more images or a smaller calibration")
    watch = watch or Silent()
    watch.stage("simulate plans", len(plans))
    right = correct_answers(problem.model, part.batches()).mean()
    drops = []
    for plan in plans:
        drops.append(100 * (right - correct_answers(problem.built(Plan(plan)), part.batches()).mean()))
        watch.step()
    return Trials(plans=list(plans), drops=np.array(drops), images=len(part))


def forecaster_of(problem: NetworkProblem, images: int) -> Forecaster:
    """A forecaster that counts answers on the images trials are measured on."""
    pool = problem.pools["validation"].part(0, images)
    return Forecaster(problem.model, calibration=problem.calibration, counted=pool.images, labels=pool.labels)


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
    `LARGEST_DROP` points, and the 95 % bootstrap interval. plans_per_second: forecasts of new plans of known rules. learn_ms: per
    (layer, rule) pair, of `pairs`. stds: (simulated, forecast, by one population) standard deviation of a layer's error, of some pairs.
    """

    images: int
    spearman: dict[str, tuple[float, float, float]]
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
    problem: NetworkProblem, *, plans: int, calibration_plans: int, images: int, seed: int, level: float = 0.9, watch: Watch | None = None
) -> Quality:
    """Forecast and simulate random plans; the first `calibration_plans` calibrate, `plans` others judge.

    Raises DataError for too few plans or images.
    """
    watch = watch or Silent()
    drawn = random_plans(problem.candidates, problem.accounting.exact, calibration_plans + plans, seed)
    forecaster = forecaster_of(problem, images)
    wanted = {name: [plan[name] for plan in drawn] for name in problem.candidates}
    started = time.perf_counter()
    forecaster.learn(wanted, watch=watch)
    seconds = time.perf_counter() - started
    raw = forecaster.raw(drawn)
    found = simulate(problem, drawn, images, watch)
    forecaster.calibrated = calibrate(raw[:calibration_plans], found.drops[:calibration_plans], level)
    simple = _simple(problem, wanted)
    judged, tests = drawn[calibration_plans:], found.drops[calibration_plans:]
    scores = {
        "forecast": raw[calibration_plans:],
        "nmed": np.array([baselines.by_nmed(plan, simple) for plan in judged]),
        "one population": np.array([baselines.by_noise(plan, simple) for plan in judged]),
    }
    ranked = tests <= LARGEST_DROP
    return Quality(
        images=found.images,
        spearman={name: _spearman(values[ranked], tests[ranked], seed) for name, values in scores.items()},
        plans_per_second=_speed(forecaster, seed),
        learn_ms=1000 * seconds / max(1, len(forecaster.known)),
        pairs=len(forecaster.known),
        conformal=forecaster.calibrated,
        points=_points(forecaster.calibrated, scores["forecast"], tests),
        stds=_stds(problem, forecaster, simple, seed),
    )


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
        layer = approximate(problem.model, Plan({name: rule}), calibrate=problem.calibration).layers()[name]
        forecaster.isolation.effect(name, layer)
        truth = unseen.effect(name, layer, fit=False).error_std
        found.append((truth, forecaster.known[name, rule].error_std, simple[name, rule].std))
    return tuple(found)
