"""A study from start to end: references, ranking, search, promotion, test figures; resumable at every point."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from inexact.core.errors import DataError, NoDesignError, StudyError
from inexact.core.files import ensure_folder
from inexact.core.notebook import as_html
from inexact.explore import outputs
from inexact.explore.assemble import assemble
from inexact.explore.ledger import Ledger
from inexact.explore.plot import plot_front, trial_line
from inexact.explore.problem import Problem
from inexact.explore.result import StudyReport, TrialReport
from inexact.explore.screening import Effects, Screen
from inexact.explore.search import Search, Trial
from inexact.explore.settings import Settings
from inexact.explore.space import Space
from inexact.explore.store import Store
from inexact.explore.watch import Silent, Watch
from inexact.report import write_html

STORE = "study.db"


@final
class Front(tuple[TrialReport, ...]):
    """The non-dominated trials, largest energy saving first."""

    __slots__ = ()

    def plot(self, width: int = 72, height: int = 18) -> str:
        """The front as text: drop in points to the right, energy saving in percent upwards."""
        return plot_front(self, width=width, height=height)

    def __str__(self) -> str:
        """A line for every trial, and the plot."""
        return "\n".join([*map(trial_line, self), self.plot()])

    def _repr_html_(self) -> str:
        return as_html(self)


def claim(store: Store, settings: Settings, command: str) -> None:
    """Make a store this study's, before anything is loaded, so that an early interruption can be resumed too.

    Raises StudyError when it already holds another study; only the number of trials may differ.
    """
    known = store.settings().get("settings")
    if known is not None and not Settings.from_json(known).agrees(settings):
        raise StudyError(f"{store.path} holds a study with other settings; resume that one, or choose another --out")
    store.save_settings({"settings": settings.to_json(), "command": command})


@final
class Study:
    """A search over plans of one problem, kept in one store.

    problem: what is optimised. settings: what was asked. store: where it is remembered; `Store(":memory:")` forgets.
    command: how it was started, for the report. Raises StudyError when the store holds another study.
    """

    def __init__(self, problem: Problem, settings: Settings, store: Store, *, watch: Watch | None = None, command: str = "") -> None:
        self.problem = problem
        self.settings = settings
        self.store = store
        self.watch = watch or Silent()
        self.command = command
        self.best_trial: Trial | None = None
        self.result: StudyReport | None = None
        claim(store, settings, command)
        self._check_fingerprint()

    def __repr__(self) -> str:
        if self.result is None:
            return f"Study({self.store.path}, not run)"
        best = "no design meets max_drop" if self.result.best is None else f"best trial {self.result.best.trial}"
        return f"Study({self.store.path}, {len(self.result.trials)} trials, {len(self.result.front)} on the front, {best})"

    def _check_fingerprint(self) -> None:
        fingerprint = self.problem.fingerprint()
        if self.store.settings().get("fingerprint", fingerprint) != fingerprint:
            raise StudyError(
                f"{self.store.path} holds a study of other weights, data, constants or version of inexact; choose another --out"
            )
        self.store.save_settings({"fingerprint": fingerprint})

    def run(self) -> StudyReport:
        """Everything that is not done yet. Finished trials are never repeated.

        Raises DataError when there is nothing to measure on. A design that meets `max_drop` may not exist: then `result.best` is None and
        `result.message` says what the best reached.
        """
        if not self.problem.images("validation"):
            raise DataError("validation data must leave images to measure on after calibration; give more images or a smaller calibration")
        earlier, started = float(self.store.settings().get("seconds", 0.0)), time.perf_counter()
        try:
            report = self._searched()
        finally:
            seconds = earlier + time.perf_counter() - started
            self.store.save_settings({"seconds": seconds})
        self.result = dataclasses.replace(report, seconds=seconds)
        self.store.save_settings({"report": self.result.to_json()})
        return self.result

    def _searched(self) -> StudyReport:
        ledger = Ledger(self.problem, self.store)
        self.watch.stage("reference accuracy", 2 * self.problem.images("validation"))
        for kind in ("float32", "int8"):
            ledger.reference("validation", kind, self.watch)
        space = self._space()
        search = Search(ledger, space, self.settings, self.watch, self._screen(space))
        search.run()
        best = search.choose()
        self.best_trial = best
        message = "" if best is not None else _nothing(search, self.settings.max_drop)
        return assemble(search, best, command=self.command, message=message)

    def _space(self) -> Space:
        """The ranked space; the first run's is kept, so that a resumed search walks the same one."""
        stored = self.store.settings().get("space")
        if stored is not None:
            return Space.from_json(stored)
        space = self.problem.rank(self.watch)
        self.store.save_settings({"space": space.to_json()})
        return space

    def _screen(self, space: Space) -> Screen | None:
        """The forecast when it is asked for; the first run's effects are kept, so that a resumed search sees the same one."""
        if not self.settings.forecast:
            return None
        stored = self.store.settings().get("effects")
        if stored is None:
            stored = self.problem.effects(space, self.watch).to_text()
            self.store.save_settings({"effects": stored})
        return Screen(Effects.from_text(stored), self.settings.max_drop)

    @property
    def front(self) -> Front:
        """The non-dominated trials. Raises StudyError before `run()`."""
        return Front(self._finished().front)

    @property
    def trials(self) -> tuple[TrialReport, ...]:
        """All trials, in order. Raises StudyError before `run()`."""
        return self._finished().trials

    @property
    def best(self) -> Any:
        """The chosen design (`result.DesignReport`). Raises NoDesignError when none meets `max_drop`, StudyError before `run()`."""
        report = self._finished()
        if report.best is None:
            raise NoDesignError(report.message)
        return report.best

    def write(self, folder: str | Path) -> list[Path]:
        """front.csv, study.json and, when there is a best design, best.plan.toml and best.safetensors; each by atomic rename."""
        target = ensure_folder(folder)
        weights = None if self.best_trial is None else self.problem.candidate(self.best_trial.plan).write_weights
        return outputs.write(self._finished(), target, weights)

    def report(self, folder: str | Path, *, faults: Sequence[str | Path] = (), attacks: Sequence[str | Path] = ()) -> Path:
        """Write all files and report.html to `folder`; return the path of the report.

        faults, attacks: folders of fault campaigns and attacks on this study's network and designs; those inside `folder` are found.
        Raises StudyError for a record of something else, FaultError and AttackError for folders without one.
        """
        from inexact.explore.records import with_records  # which needs the packages of faults and attacks

        self.write(folder)
        content = with_records(self._finished().to_json(), self.problem.fingerprint(), folder, faults=faults, attacks=attacks)
        return write_html(content, Path(folder) / "report.html")

    def _finished(self) -> StudyReport:
        if self.result is None:
            raise StudyError("the study must have run: call run() first")
        return self.result


def _nothing(search: Search, max_drop: float) -> str:
    done = [t for t in search.trials if t.drop is not None]
    if not done:
        failures = [t.record.traceback.strip().splitlines()[-1] for t in search.trials if t.record.traceback]
        reason = f"; the first one said: {failures[0]}" if failures else ""
        return f"no design could be measured: all {len(search.trials)} trials failed{reason}"
    # A design counts by what it does on most images; a small drop on few images may be luck.
    drop, best = min(
        ((t.drop, t) for t in done if t.drop is not None), key=lambda pair: (-pair[0].n, pair[0].value, -pair[1].energy_saving)
    )
    return (
        f"no design loses at most {max_drop:g} points: the best of {len(done)} reached {drop.value:+.2f} points on {drop.n} validation "
        f"images and saves {best.energy_saving:.1f} % energy (trial {best.record.id}); allow a larger --max-drop or more --trials"
    )
