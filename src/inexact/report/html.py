"""The study's report as one HTML file that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from inexact.core.files import write_text
from inexact.report._answer import answer
from inexact.report._asset import asset
from inexact.report._energy import energies
from inexact.report._front import front
from inexact.report._layers import layers
from inexact.report._reliability import reliability
from inexact.report._security import security
from inexact.report._tables import provenance, search
from inexact.report._units import maps, units
from inexact.report._values import text
from inexact.report._view import View, view

LIMIT = 1_000_000
"""Largest size of the file in bytes."""

_SHORTENINGS: tuple[tuple[bool, int | None], ...] = ((True, None), (False, None), (False, 500), (False, 0))
"""(keep plans of dominated trials, how many of these trials to keep), tried in this order until the page is below `LIMIT`."""


def write_html(report: Mapping[str, Any], path: str | Path) -> Path:
    """Write the report of a study (`StudyReport.to_json()`) to `path` by atomic rename; return the path.

    Parts that are missing from `report` are said to be missing, none is required. Raises OutputError when the file cannot be written.
    """
    target = Path(path)
    write_text(target, render(report))
    return target


def render(report: Mapping[str, Any]) -> str:
    """The page as text, below `LIMIT` bytes: a very large study loses plans and rows of dominated trials first, and says so."""
    page, seen = "", view(report)
    for plans, keep in _SHORTENINGS:
        page = _page(seen if keep is None else seen.thinned(keep), plans=plans)
        if len(page.encode()) < LIMIT:
            break
    return page


def _page(seen: View, *, plans: bool) -> str:
    report = seen.report
    subject = (("network", "network"), ("data", "data"), ("accelerator", "accelerator"))
    about = " \u00b7 ".join(f"{name} <b>{text(report[key])}</b>" for key, name in subject if report.get(key))
    return Template(asset("template.html")).substitute(
        title=text(report.get("title"), "Study"),
        about=about,
        style=asset("style.css"),
        script=asset("script.js"),
        data=embedded(_data(seen, plans=plans)),
        answer=answer(seen),
        front=front(seen),
        layers=layers(seen),
        energy=energies(seen),
        units=units(seen),
        reliability=reliability(seen),
        security=security(seen),
        provenance=provenance(seen),
        search=search(seen),
    )


def _data(seen: View, *, plans: bool) -> dict[str, Any]:
    """What the script needs: which plan each trial has (equal plans are kept once), and the values of the error maps."""
    unique: dict[str, int] = {}
    trials = {}
    for trial in seen.trials:
        kept = trial.plan and (plans or trial.front or trial.best)
        trials[trial.id] = unique.setdefault(trial.plan, len(unique)) if kept else None
    return {"trials": trials, "plans": list(unique), "maps": maps(seen.report)}


def embedded(data: object) -> str:
    """JSON that cannot end or open an HTML element: the characters < > & are written as escapes."""
    written = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
