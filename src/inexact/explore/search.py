"""The trials of a study and the choice among them: a search on few images, then promotion of the promising to more."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from inexact.explore.ledger import Drop, Ledger
from inexact.explore.samplers import Genome, Outcome, failed
from inexact.explore.samplers import get as get_sampler
from inexact.explore.screening import Screen
from inexact.explore.seeds import FIRST
from inexact.explore.settings import MEASURED, OBJECTIVES, Settings
from inexact.explore.space import Space
from inexact.explore.store import Measurement, TrialRecord
from inexact.explore.watch import Watch
from inexact.nn import Plan

REPEATS = 500
"""Genomes in a row the sampler may propose again before the space counts as exhausted."""
HINTS = 300
"""Genomes the ranking proposes at most beyond those measured first."""


@dataclass
class Trial:
    """A tried plan with its longest validation measurement; measurement and drop are None when it failed."""

    record: TrialRecord
    plan: Plan
    measurement: Measurement | None
    drop: Drop | None

    @property
    def energy_saving(self) -> float:
        """Percent of the whole accelerator's energy, DRAM included."""
        return 0.0 if self.measurement is None else float(self.measurement.accounts["energy_saving"])


@final
class Search:
    """The trials, in order. A trial finished in an earlier run is taken from the store; the sampler cannot tell the difference."""

    def __init__(self, ledger: Ledger, space: Space, settings: Settings, watch: Watch, screen: Screen | None = None) -> None:
        self.ledger = ledger
        self.space = space
        self.settings = settings
        self.watch = watch
        self.screen = screen
        self.screened = 0
        self.trials: list[Trial] = []

    def run(self) -> None:
        """Ask, measure, tell, until `settings.trials` different plans were tried or the space is exhausted."""
        settings = self.settings
        previous = {record.genome: record for record in self.ledger.store.trials()}
        proposed = self.ledger.problem.initial(self.space, FIRST + HINTS)
        sampling = get_sampler(settings.sampler)(
            self.space.sizes,
            objectives=len(settings.objectives),
            initial=proposed[:FIRST],
            hints=proposed[FIRST:],
            seed=settings.seed,
            forecast=None if set(settings.objectives) & set(MEASURED) else self._forecast,
        )
        known: dict[Genome, Outcome] = {}
        self.watch.stage("search", settings.trials)
        repeats = 0
        while len(self.trials) < settings.trials and repeats < REPEATS:
            genome = sampling.ask()
            if genome is None:
                break
            genome = self.space.settled(genome)
            refused = self._refused(genome) if genome not in known else None
            if refused is not None:
                known[genome] = refused
                self.screened += 1
            repeats = repeats + 1 if genome in known else 0
            if genome not in known:
                trial = self._replayed(previous[genome]) if genome in previous else self._tried(genome, len(previous))
                previous.setdefault(genome, trial.record)
                self.trials.append(trial)
                known[genome] = self._outcome(trial)
                if self.screen is not None and trial.measurement is not None:
                    self.screen.told(genome, known[genome].violation + settings.max_drop)
                self._report()
            sampling.tell(known[genome])

    def _replayed(self, record: TrialRecord) -> Trial:
        plan = self.space.plan(record.genome)
        measurement = self.ledger.store.measurement(record.measurement) if record.status == "done" else None
        return self._trial(record, plan, measurement)

    def _tried(self, genome: Genome, number: int) -> Trial:
        plan = self.space.plan(genome)
        started = time.time()
        measurement, trace = None, ""
        try:
            measurement = self._measured(plan)
        except Exception:  # any failure of one design is that trial's result
            trace = traceback.format_exc()
        record = TrialRecord(
            id=number,
            genome=genome,
            plan=plan.to_toml(),
            measurement=self.ledger.key(plan.to_toml(), "validation"),
            n=0 if measurement is None else len(measurement.correct),
            status="failed" if measurement is None else "done",
            traceback=trace,
            seed=self.settings.seed,
            started=started,
            finished=time.time(),
        )
        self.ledger.store.save_trial(record, measurement)
        return self._trial(record, plan, measurement)

    def _measured(self, plan: Plan) -> Measurement:
        """The plan on a screen of images and, unless it is hopeless there, on all search images."""
        ledger, settings = self.ledger, self.settings
        have = ledger.stored(plan, "validation")
        if have is not None and len(have.correct) >= min(settings.search_images, ledger.problem.images("validation")):
            return have
        candidate = ledger.problem.candidate(plan)
        screened = ledger.extended(plan, "validation", min(settings.screen_images, settings.search_images), have, candidate)
        if ledger.drop(screened.correct, "validation", self.watch).value > settings.max_drop + settings.hopeless:
            return ledger.charged(screened, candidate)
        return ledger.charged(ledger.extended(plan, "validation", settings.search_images, screened, candidate), candidate)

    def _trial(self, record: TrialRecord, plan: Plan, measurement: Measurement | None) -> Trial:
        drop = None if measurement is None else self.ledger.drop(measurement.correct, "validation", self.watch)
        return Trial(record=record, plan=plan, measurement=measurement, drop=drop)

    def _outcome(self, trial: Trial) -> Outcome:
        """What the sampler is told: judged on the images of the trial itself, not on those a promotion added later."""
        if trial.measurement is None:
            return failed(len(self.settings.objectives))
        drop = self.ledger.drop(trial.measurement.correct[: trial.record.n], "validation", self.watch).value
        known = {**trial.measurement.accounts, "drop": drop}
        values = tuple(float(known[OBJECTIVES[name]]) for name in self._ordered())
        return Outcome(values=values, violation=drop - self.settings.max_drop)

    def _ordered(self) -> list[str]:
        """The objectives, accuracy first."""
        return sorted(self.settings.objectives, key=lambda name: name != "top1")

    def _refused(self, genome: Genome) -> Outcome | None:
        """What the sampler is told of a genome that is forecast to break the budget by far; None when it must be simulated."""
        drop = None if self.screen is None else self.screen.refused(genome)
        if drop is None:
            return None
        known = {**self.ledger.problem.costs(self.space, genome), "drop": drop}
        return Outcome(values=tuple(float(known[OBJECTIVES[name]]) for name in self._ordered()), violation=drop - self.settings.max_drop)

    def _forecast(self, genomes: Sequence[Genome]) -> list[tuple[float, ...]]:
        """Costs of genomes, and instead of their drops what the forecast or else the ranking says of them."""
        risks = None if self.screen is None else self.screen.risks(genomes)
        if risks is None:
            risks = [self.space.impact(genome) for genome in genomes]
        known = [{**self.ledger.problem.costs(self.space, genome), "drop": risk} for genome, risk in zip(genomes, risks, strict=True)]
        return [tuple(row[OBJECTIVES[name]] for name in self._ordered()) for row in known]

    def _report(self) -> None:
        good = [t for t in self.trials if t.drop is not None and t.drop.value <= self.settings.max_drop]
        best = max(good, key=lambda t: t.energy_saving, default=None)
        note = "" if best is None or best.drop is None else f"best so far {best.energy_saving:.1f} % saved, {best.drop.value:+.2f} points"
        self.watch.step(note=note)

    def extend(self, trial: Trial, n: int) -> None:
        """Measure a trial on the first `n` validation images."""
        trial.measurement = self.ledger.measure(trial.plan, "validation", n)
        trial.drop = self.ledger.drop(trial.measurement.correct, "validation", self.watch)

    def choose(self) -> Trial | None:
        """The trial with the largest saving whose drop on all validation images is at most `max_drop`; None when there is none.

        Successive halving: the most saving trial that may still hold is measured on the next larger set of images, until one holds on all.
        "May still hold" allows one standard error on the search images and a quarter of it after, for the first `promotions` steps.
        """
        done = [t for t in self.trials if t.drop is not None]
        full = self.ledger.problem.images("validation")
        rungs = sorted({min(r, full) for r in (self.settings.search_images, self.settings.promote_images, full // 2, full)})
        self.watch.stage("promote", 0)
        steps = 0
        while True:
            lenient = steps < self.settings.promotions
            plausible = [t for t in done if t.drop is not None and self._may_hold(t.drop, full, lenient)]
            top = max(plausible, key=lambda t: (t.energy_saving, -_value(t)), default=None)
            if top is None:
                closest = min(done, key=_value, default=None)
                if closest is None or closest.drop is None or closest.drop.n >= full:
                    return None
                top = closest
            elif top.drop is not None and top.drop.n >= full:
                return top
            measured = 0 if top.drop is None else top.drop.n
            self.extend(top, next(rung for rung in rungs if rung > measured))
            steps += 1
            self.watch.step(note=f"trial {top.record.id}: {top.energy_saving:.1f} % saved, {_value(top):+.2f} points")

    def _may_hold(self, drop: Drop, full: int, lenient: bool) -> bool:
        share = 1.0 if drop.n <= self.settings.search_images else 0.25
        slack = share * drop.error if lenient and drop.n < full else 0.0
        return drop.value <= self.settings.max_drop + slack


def _value(trial: Trial) -> float:
    return float("inf") if trial.drop is None else trial.drop.value
