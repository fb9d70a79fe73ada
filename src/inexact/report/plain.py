"""The study's result for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from inexact.report._accounts import BOUNDARIES, ceilings, origin, savings
from inexact.report._exits import lines as exit_lines
from inexact.report._values import estimate, finite, fixed, mapping, number, percent, points, with_interval
from inexact.report._view import Trial, View, view


def summary_table(report: Mapping[str, Any]) -> Table:
    """The front as a rich table, the chosen design marked, with the answer as its caption.

    report: `StudyReport.to_json()`; missing parts are left out. Drop in points against float32, savings in percent.
    """
    seen = view(report)
    table = Table(title=str(report.get("title") or "Study"), caption=caption(seen), caption_justify="left", title_justify="left")
    for name, justify in (("", "left"), ("trial", "right"), ("drop, points [95 %]", "right"), ("images", "right"), ("split", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("energy saved, %", justify="right")
    table.add_column("area saved, %", justify="right")
    for trial in _listed(seen):
        table.add_row(*_row(trial), style="bold" if trial.best else "")
    return table


def _listed(seen: View) -> list[Trial]:
    chosen = seen.chosen
    return seen.front if chosen is None or chosen.front else sorted([*seen.front, chosen], key=lambda trial: trial.drop or 0.0)


def _row(trial: Trial) -> tuple[str, ...]:
    count = fixed(trial.images, 0)
    drop = with_interval(trial.drop, trial.drop_ci)
    return ("*" if trial.best else "", trial.id, drop, count, trial.split, fixed(trial.energy, 1), fixed(trial.area, 1))


def caption(seen: View) -> Text:
    """What was chosen, what it saves under each account and where its ceilings are; or why nothing was."""
    lines = (
        _chosen(seen) if seen.best else [str(seen.report.get("message") or f"No design meets a drop of at most {points(seen.max_drop)}.")]
    )
    return Text("\n".join(lines))


def _chosen(seen: View) -> list[str]:
    lines = [f"* chosen: largest saving whose validation drop is at most {points(seen.max_drop)}"]
    for split in ("validation", "test"):
        found = mapping(seen.best.get(split))
        if finite(found.get("drop")) is not None:
            drop = with_interval(found.get("drop"), found.get("drop_ci"))
            eight = with_interval(found.get("drop_int8"), found.get("drop_int8_ci"))
            count = fixed(finite(found.get("n")), 0)
            lines.append(f"{split}: drop {drop} points against float32, {eight} against exact 8-bit, {count} images")
    saved, limits, area = savings(seen.best), ceilings(seen.best), percent(seen.best.get("area_saving"))
    for name, saving in saved.items():
        ceiling = f"; multipliers alone at most {fixed(limits[name].value, 1)} %" if name in limits and name != "multiplier" else ""
        lines.append(f"energy saved, {BOUNDARIES[name]}: {fixed(saving.value, 1)} %{ceiling}")
    lines += [f"area saved: {fixed(area.value, 1)} %"] if area else []
    before, after = estimate(seen.best.get("baseline_latency_ms")), estimate(seen.best.get("latency_ms"))
    lines += [f"latency: {number(after.value)} ms; exact 8-bit {number(before.value)} ms"] if before and after else []
    lines += exit_lines(seen.best)
    lines += [origin(seen.report)] if origin(seen.report) else []
    known = [*saved.values(), *([area] if area else [])]
    return lines + _sources(found.source for found in known if found.source)


def _sources(found: Iterable[str]) -> list[str]:
    """A line for every origin, with all that was taken from it; `model: how` is a source."""
    taken: dict[str, dict[str, None]] = {}
    for source in found:
        origin, colon, how = source.rpartition(": ")
        taken.setdefault(origin if colon else source, {}).update(dict.fromkeys(how.split("; ") if colon else ()))
    return [f"source: {': '.join(filter(None, (origin, '; '.join(how))))}" for origin, how in taken.items()]
