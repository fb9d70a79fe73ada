"""From a finished search to its report: plain numbers and the chosen design in full; finalists are measured on the test images here."""

from __future__ import annotations

import math
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from inexact.explore.ledger import Ledger
from inexact.explore.pareto import non_dominated
from inexact.explore.result import DesignReport, JsonObject, LayerReport, PairedAccuracy, StudyReport, TrialReport, UnitReport
from inexact.explore.search import Search, Trial
from inexact.explore.settings import MEASURED, OBJECTIVES, Settings
from inexact.explore.watch import Watch

PACKAGES = ("inexact", "torch", "numpy", "scipy", "pymoo", "optuna")


def assemble(search: Search, best: Trial | None, *, command: str, message: str) -> StudyReport:
    """The report of a finished search. Finalists are measured on the test images; nothing is selected by them.

    `seconds` is 0: the caller knows when the study ends.
    """
    ledger, settings, watch = search.ledger, search.settings, search.watch
    members = front_ids(search.trials, settings)
    finalists = pick_finalists(search.trials, best, members, settings.finalists)
    tested = _tested(ledger, finalists, watch)
    accounts = None if best is None or best.measurement is None else best.measurement.accounts
    parts = ledger.problem.describe(None if best is None else best.plan, search.space, accounts or {})
    energy = {"unit": "pJ", "baseline": parts.get("baseline_components", {}), "best": (accounts or {}).get("by_component", {})}
    energy["by_boundary"] = {"baseline": parts.get("baseline_boundaries", {}), "best": (accounts or {}).get("by_boundary", {})}
    limit = f"{settings.max_drop:g} point" + ("" if settings.max_drop == 1 else "s")
    return StudyReport(
        title=f"{settings.network} on {settings.data}, {settings.accelerator}: at most {limit} of accuracy lost",
        command=command,
        network=settings.network,
        data=settings.data,
        accelerator=settings.accelerator,
        max_drop=settings.max_drop,
        seed=settings.seed,
        seconds=0.0,
        versions=versions(),
        settings=settings.to_json(),
        **_references(ledger, watch),
        trials=tuple(trial_report(trial, trial.record.id in members) for trial in search.trials),
        finalists=tuple(_finalist(trial, tested.get(trial.record.id), ledger, watch) for trial in finalists),
        best=_design(best, tested, parts, ledger, watch) if best is not None else None,
        message=message,
        energy=energy,
        units=tuple(UnitReport(**unit) for unit in parts.get("units", [])),
        provenance=tuple(parts.get("provenance", [])),
        screened=search.screened,
    )


def front_ids(trials: list[Trial], settings: Settings) -> set[int]:
    """Ids of the trials that no other dominates in the study's objectives, by what they were measured on last."""
    done = [t for t in trials if t.measurement is not None and t.drop is not None]
    rows = [_objectives(t, settings) for t in done]
    if not rows:
        return set()
    return {t.record.id for t, good in zip(done, non_dominated(rows), strict=True) if good}


def pick_finalists(trials: list[Trial], best: Trial | None, members: set[int], count: int) -> list[Trial]:
    """The best (or, without one, the smallest drop), then front members measured on most images, largest saving first."""
    done = [t for t in trials if t.drop is not None]
    if not done:
        return []
    first = best or min(done, key=_drop)
    others = [t for t in done if t is not first and t.record.id in members and not _is_exact(t)]
    others.sort(key=lambda t: (-_images(t), -t.energy_saving))
    return [first, *others][:count]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages results depend on, those installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, kw_only=True)
class _Tested:
    """What a finalist did on the test images, and what it costs there."""

    accuracy: PairedAccuracy
    accounts: JsonObject


def _tested(ledger: Ledger, finalists: list[Trial], watch: Watch) -> dict[int, _Tested]:
    images = ledger.problem.images("test")
    if not images:
        return {}
    watch.stage("test images", (len(finalists) + 2) * images)
    for kind in ("float32", "int8"):
        ledger.reference("test", kind, watch)
    found = {}
    for trial in finalists:
        measurement = ledger.measure(trial.plan, "test", images)
        accuracy = ledger.paired(measurement.correct, "test", watch)
        found[trial.record.id] = _Tested(accuracy=accuracy, accounts=measurement.accounts)
        watch.step(images)
    return found


def _references(ledger: Ledger, watch: Watch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for split, prefix in (("validation", ""), ("test", "test_")):
        if not ledger.problem.images(split):
            continue
        found[f"{prefix}float32"] = ledger.accuracy(ledger.reference(split, "float32", watch))
        found[f"{prefix}int8"] = ledger.paired(ledger.reference(split, "int8", watch), split, watch)
    return found


def trial_report(trial: Trial, on_front: bool) -> TrialReport:
    """The plain numbers of one trial, by its longest validation measurement."""
    record, measurement, drop = trial.record, trial.measurement, trial.drop
    accounts = {} if measurement is None else measurement.accounts
    return TrialReport(
        id=record.id,
        drop=None if drop is None else drop.value,
        drop_ci=None if drop is None else drop.ci,
        n_images=0 if drop is None else drop.n,
        split="validation",
        energy_saving=accounts.get("energy_saving"),
        area_saving=accounts.get("area_saving"),
        plan_toml=record.plan,
        status=record.status,
        on_front=on_front,
        measured={name: _shown(key, float(accounts[key])) for name, key in MEASURED.items() if key in accounts},
        error=record.traceback.strip().splitlines()[-1] if record.traceback else None,
    )


def _finalist(trial: Trial, test: _Tested | None, ledger: Ledger, watch: Watch) -> JsonObject:
    accounts = {} if trial.measurement is None else trial.measurement.accounts
    validation = None if trial.measurement is None else ledger.paired(trial.measurement.correct, "validation", watch)
    return {
        "trial": trial.record.id,
        "energy_saving": accounts.get("energy_saving"),
        "area_saving": accounts.get("area_saving"),
        "validation": None if validation is None else vars(validation),
        "test": None if test is None else vars(test.accuracy),
        **({"test_energy_saving": test.accounts["energy_saving"]} if test is not None and "exits" in test.accounts else {}),
    }


def _design(best: Trial, tested: dict[int, _Tested], parts: JsonObject, ledger: Ledger, watch: Watch) -> DesignReport | None:
    if best.measurement is None:
        return None
    accounts, test = best.measurement.accounts, tested.get(best.record.id)
    return DesignReport(
        trial=best.record.id,
        plan_toml=best.record.plan,
        layers=tuple(LayerReport(**layer) for layer in parts.get("layers", [])),
        validation=ledger.paired(best.measurement.correct, "validation", watch),
        test=None if test is None else test.accuracy,
        savings=accounts.get("savings", {}),
        area_saving=accounts.get("area_saving_estimate", {}),
        ceiling=parts.get("ceiling", {}),
        latency_ms=accounts.get("latency_ms", {}),
        baseline_latency_ms=parts.get("baseline_latency_ms", {}),
        exits=_exits(accounts, {} if test is None else test.accounts),
    )


def _exits(accounts: JsonObject, test: JsonObject) -> JsonObject:
    """Where inputs leave, on the validation images the account rests on and on the test images; empty without exits."""
    if "exits" not in accounts:
        return {}
    found, tested = accounts["exits"], test.get("exits", {})
    shares = [row["share"] for row in tested.get("leave", [])] or [None] * len(found["leave"])
    return {
        "images": found["images"],
        "test_images": tested.get("images"),
        "leave": [{**row, "test_share": share} for row, share in zip(found["leave"], shares, strict=True)],
        "worst_latency_ms": accounts["worst_latency_ms"],
        "test_savings": test.get("savings", {}),
    }


def _objectives(trial: Trial, settings: Settings) -> tuple[float, ...]:
    known = {**(trial.measurement.accounts if trial.measurement else {}), "drop": _drop(trial)}
    return tuple(float(known[OBJECTIVES[name]]) for name in settings.objectives)


def _drop(trial: Trial) -> float:
    return math.inf if trial.drop is None else trial.drop.value


def _images(trial: Trial) -> int:
    return 0 if trial.drop is None else trial.drop.n


def _is_exact(trial: Trial) -> bool:
    return not any(trial.record.genome)


def _shown(key: str, minimised: float) -> float:
    """A measured objective as it is called: what robust_accuracy minimises is its complement, in percent."""
    return 100 - minimised if key == "robust_loss" else minimised
