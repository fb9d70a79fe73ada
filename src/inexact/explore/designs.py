"""Designs of a finished study as files, so that other commands can work on the very networks it measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from inexact.core.errors import NoDesignError, StudyError
from inexact.core.files import ensure_folder, write_text
from inexact.explore.network_problem import NetworkProblem
from inexact.explore.store import Store
from inexact.explore.stored import open_problem, stored_report, stored_settings
from inexact.nn import Plan

EXACT, BEST = "exact", "best"
"""The exact 8-bit network that savings are measured against; the chosen design."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """A network of a study. name: "exact" or "trial-12". plan, weights: its files. study: the study's fingerprint."""

    name: str
    plan: Path
    weights: Path
    study: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A design before it is written. plan: None for the exact one, whose plan the network tells."""

    name: str
    plan: str | None


def choose(store: Store, trial: str) -> Choice:
    """The design that "best", "exact" or the number of a trial names.

    Raises NoDesignError when the study chose none, StudyError for a trial that there is not or that failed.
    """
    if trial == EXACT:
        return Choice(name=EXACT, plan=None)
    if trial == BEST:
        report = stored_report(store)
        if not report.get("best"):
            raise NoDesignError(f"the study chose no design ({report.get('message')}): name a trial with --trial")
        return Choice(name=f"trial-{report['best']['trial']}", plan=report["best"]["plan_toml"])
    done = {str(record.id): record.plan for record in store.trials() if record.status == "done"}
    if trial not in done:
        raise StudyError(f"trial must be {BEST} or one of the study's {len(done)} finished trials, not {trial!r}: see inexact study front")
    return Choice(name=f"trial-{trial}", plan=done[trial])


def export(store: Store, choices: list[Choice], folder: Path) -> list[Design]:
    """Write plan.toml and weights.safetensors of each design to `folder`/its name; files of the same design are kept.

    The networks are built as in the study: calibrated and repaired on its images. Raises what opening the study's network and data
    raises, StudyError when they are not those it was run on.
    """
    study = str(store.settings()["fingerprint"])
    found, problem = [], None
    for choice in choices:
        target = ensure_folder(folder / choice.name)
        mark = {"study": study, "design": choice.name, "plan": choice.plan}
        if not _kept(target, mark):
            problem = problem or _opened(store, study)
            plan = Plan.from_toml(choice.plan) if choice.plan is not None else problem.exact_plan
            write_text(target / "plan.toml", plan.to_toml())
            problem.candidate(plan).write_weights(target / "weights.safetensors")
            write_text(target / "design.json", json.dumps(mark))
        found.append(Design(name=choice.name, plan=target / "plan.toml", weights=target / "weights.safetensors", study=study))
    return found


def _kept(target: Path, mark: dict[str, str | None]) -> bool:
    """Whether the files are there already; the mark is written last."""
    try:
        return bool(json.loads((target / "design.json").read_text(encoding="utf-8")) == mark)
    except (OSError, ValueError):
        return False


def _opened(store: Store, study: str) -> NetworkProblem:
    problem = open_problem(stored_settings(store))
    if problem.fingerprint() != study:
        raise StudyError(f"{store.path} holds a study of other weights, data, constants or version of inexact; run it again")
    return problem
