"""The accuracy drop of any plan in a fraction of a millisecond: effects of single layers, measured once, added up in the logits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from inexact.core.errors import DataError, PlanError
from inexact.explore.conformal import Conformal
from inexact.explore.effects import Effect, Isolation, correct_alone
from inexact.explore.margins import Floats, Margins, telling
from inexact.explore.watch import Silent, Watch
from inexact.nn import Plan, Rule, approximate, plannable

IMAGES = 256
"""Images that effects are measured on."""

BATCH = 100
"""Images a step of the pass that counts answers."""

Choices = Mapping[str, Rule | None]
"""What each layer computes; layers left out, or None, stay in float32."""


@final
@dataclass(frozen=True, kw_only=True)
class Forecast:
    """The drop a plan is expected to have against float32, in points.

    raw: before calibration. drop: the forecast. interval: see `Conformal`; None without calibration. alone: layer -> what its rule costs
    on its own, with the same calibration; largest first.
    """

    raw: float
    drop: float
    interval: tuple[float, float] | None
    alone: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        interval = None if self.interval is None else list(self.interval)
        return {"raw": self.raw, "drop": self.drop, "interval": interval, "alone": self.alone}


@final
class Forecaster:
    """Forecasts for one network.

    model: the float32 network, untouched. calibration: float32 [N, …], fixes ranges and corrections. counted, labels: images [M, …] and
    classes int64 [M] that answers are counted on, in float32 once. Effects are measured on `images` of them, see `margins.telling`.

    A rule is learnt in a layer the first time a plan names it: the float32 network runs with that layer emulated (on its own operands, with
    the correlations within its windows, its padding and correction), through everything that follows, and the change of the logits is
    kept. A plan's change is the sum of its layers' changes, image by image, so that errors which cancel or add up over layers do so here.
    What layers do to each other beyond the sum is not seen; it is part of what the interval covers.
    Raises DataError without images.
    """

    def __init__(self, model: nn.Module, *, calibration: Tensor, counted: Tensor, labels: Tensor, images: int = IMAGES) -> None:
        if not len(calibration) or not len(counted):
            raise DataError("a forecast needs at least one image to calibrate on and one to count answers on; give more images")
        self.model = model.eval()
        self.calibration = calibration
        self.kinds = plannable(model, calibration)
        with torch.no_grad():
            logits = torch.cat([self.model(counted[start : start + BATCH]) for start in range(0, len(counted), BATCH)])
        self.logits, self.labels, self.seen = logits, labels, telling(logits, images)
        self.isolation = Isolation(model, self.kinds, counted[self.seen])
        self.margins = Margins(logits, labels, self.seen)
        self.known: dict[tuple[str, Rule], Effect] = {}
        self._rows: dict[tuple[str, Rule], int] = {}
        self._bank = torch.zeros(1, self.isolation.columns.numel())
        self.calibrated: Conformal | None = None

    def resolve(self, plan: Plan | Choices) -> dict[str, Rule]:
        """The rule of every emulated layer. Raises PlanError for layers the network does not have."""
        rules = plan.resolve(self.kinds) if isinstance(plan, Plan) else plan
        for name in rules:
            if name not in self.kinds:
                raise PlanError(f"layers of a plan must be layers of the network; {name!r} is none of {', '.join(self.kinds)}")
        return {name: rule for name, rule in rules.items() if rule is not None}

    def learn(self, rules: Mapping[str, Iterable[Rule]], *, watch: Watch | None = None) -> None:
        """Measure the effects of rules in layers, those not known yet. Cost: about half a float32 pass over the calibration images each.

        Raises PlanError for rules a layer cannot have.
        """
        missing: dict[Rule, list[str]] = {}
        for name, wanted in rules.items():
            for rule in dict.fromkeys(wanted):
                if (name, rule) not in self.known:
                    missing.setdefault(rule, []).append(name)
        watch = watch or Silent()
        watch.stage("learn rules", len(missing))
        for rule, names in missing.items():
            net = approximate(self.model, Plan(dict.fromkeys(names, rule)), calibrate=self.calibration)
            correct_alone(net, self.calibration)
            for name, effect in self.isolation.effects(net).items():
                self.known[name, rule] = effect
            watch.step(note=str(rule.multiplier))

    def raw(self, plans: Sequence[Plan | Choices]) -> Floats:
        """float64 [P], uncalibrated forecasts in points: they rank plans. Rules that are new are learnt first."""
        chosen = [self.resolve(plan) for plan in plans]
        self.learn(_by_layer(chosen))
        return self.margins.lost(self._changes(chosen))

    def _changes(self, chosen: Sequence[Mapping[str, Rule]]) -> Tensor:
        """float32 [P, N, T], the sums over layers."""
        if len(self._rows) != len(self.known):
            self._rows = {key: row for row, key in enumerate(self.known)}
            self._bank = torch.stack([effect.change.flatten() for effect in self.known.values()])
        rows = torch.tensor([self._rows[key] for rules in chosen for key in rules.items()], dtype=torch.int64)
        starts = torch.tensor([0, *(len(rules) for rules in chosen)][:-1] or [0], dtype=torch.int64).cumsum(0)
        sums = functional.embedding_bag(rows, self._bank, starts[: len(chosen)], mode="sum")
        return sums.view(len(chosen), *self.isolation.columns.shape)

    def forecast(self, plan: Plan | Choices) -> Forecast:
        """The forecast of one plan, and of each of its layers alone."""
        rules = self.resolve(plan)
        raw = self.raw([rules, *({name: rule} for name, rule in rules.items())])
        known = self.calibrated
        points = [float(value) if known is None else known.drop(float(value)) for value in raw]
        alone = sorted(zip(rules, points[1:], strict=True), key=lambda pair: -pair[1])
        interval = None if known is None else known.interval(float(raw[0]))
        return Forecast(raw=float(raw[0]), drop=points[0], interval=interval, alone=dict(alone))


def _by_layer(chosen: Iterable[Mapping[str, Rule]]) -> dict[str, list[Rule]]:
    """The rules each layer has in any of the plans."""
    found: dict[str, list[Rule]] = {}
    for rules in chosen:
        for name, rule in rules.items():
            found.setdefault(name, []).append(rule)
    return found
