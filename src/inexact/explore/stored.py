"""Opening a study from its folder: its problem, its finished trials, its report. Nothing but `study.db` is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from inexact import hardware, zoo
from inexact.core.errors import StudyError
from inexact.explore.assemble import front_ids, trial_report
from inexact.explore.ledger import Ledger
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.problem import Candidate
from inexact.explore.result import JsonObject, TrialReport
from inexact.explore.samplers import Genome
from inexact.explore.screening import Effects
from inexact.explore.search import Trial
from inexact.explore.settings import Settings
from inexact.explore.space import Space, SpaceText
from inexact.explore.store import Correct, Store
from inexact.explore.study import STORE
from inexact.explore.watch import Silent, Watch
from inexact.nn import Plan
from inexact.zoo.training import with_carded_exits


def open_problem(settings: Settings) -> NetworkProblem:
    """The problem settings describe: network, both splits of the data, accelerator, space.

    Raises what their loaders raise: UnknownNameError, DataError, CheckpointError, HardwareError, StudyError.
    """
    machine = hardware.load(settings.accelerator)
    model = zoo.network(settings.network, data=settings.data, weights=settings.weights)
    validation, test = (zoo.data(settings.data, split) for split in ("validation", "test"))
    zoo.check_compatible(model, validation)
    space = None if settings.space is None else SpaceText(text=settings.space)
    exits = None if settings.exits is None else with_carded_exits(model, Path(settings.exits), network=settings.network)
    return NetworkProblem(model, validation, test, machine, settings, space, exits=exits)


def open_store(folder: str | Path) -> Store:
    """The store of an existing study. Raises StudyError when the folder holds none."""
    path = Path(folder) / STORE
    if not path.is_file():
        raise StudyError(f"{folder} must hold a study ({STORE}); it does not: start one with inexact study run --out {folder}")
    return Store(path)


def stored_settings(store: Store) -> Settings:
    """What the study was asked. Raises StudyError when the store holds no study."""
    known = store.settings()
    if "settings" not in known:
        raise StudyError(f"{store.path} must hold the settings of a study; it is empty: start again with another --out")
    return Settings.from_json(known["settings"])


def stored_report(store: Store) -> JsonObject:
    """The finished study's report. Raises StudyError when the study has not ended yet."""
    report = store.settings().get("report")
    if report is None:
        raise StudyError(f"{store.path} must hold a finished study; this one has {len(store.trials())} trials and no end: resume it first")
    return dict(report)


def stored_trials(store: Store) -> tuple[TrialReport, ...]:
    """All trials so far with their current drops, of a study that may still be running or was killed."""
    settings, watch = stored_settings(store), Silent()
    ledger = Ledger(_Remembered(fingerprint_text=str(store.settings()["fingerprint"])), store)
    trials = []
    for record in store.trials():
        measurement = store.measurement(record.measurement) if record.status == "done" else None
        drop = None if measurement is None else ledger.drop(measurement.correct, "validation", watch)
        trials.append(Trial(record=record, plan=Plan.from_toml(record.plan), measurement=measurement, drop=drop))
    members = front_ids(trials, settings)
    return tuple(trial_report(trial, trial.record.id in members) for trial in trials)


@final
@dataclass(frozen=True, kw_only=True)
class _Remembered:
    """A problem of which only the stored measurements are left."""

    fingerprint_text: str

    def fingerprint(self) -> str:
        return self.fingerprint_text

    def images(self, split: str) -> int:
        raise _unavailable(f"the {split} images")

    def rank(self, watch: Watch) -> Space:
        raise _unavailable("the network")

    def initial(self, space: Space, count: int) -> list[Genome]:
        raise _unavailable("the network")

    def effects(self, space: Space, watch: Watch) -> Effects:
        raise _unavailable("the network")

    def costs(self, space: Space, genome: Genome) -> dict[str, float]:
        raise _unavailable("the network")

    def reference(self, split: str, kind: str, watch: Watch) -> Correct:
        raise _unavailable(f"the {kind} accuracy")

    def candidate(self, plan: Plan) -> Candidate:
        raise _unavailable("the network")

    def describe(self, plan: Plan | None, space: Space, accounts: dict[str, Any]) -> dict[str, Any]:
        raise _unavailable("the network")


def _unavailable(what: str) -> StudyError:
    return StudyError(f"{what} must be measured first; the study stopped before: resume it")
