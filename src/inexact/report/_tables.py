"""Last two sections: where every number comes from, and how the search went."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby

from inexact.report._units import badge
from inexact.report._values import Json, finite, fixed, fold, head, mapping, number, pair, rows, table, text, with_interval
from inexact.report._view import Trial, View

_LINK = re.compile(
    r"(?P<url>https?://[^\s<>\"')\]]+[^\s<>\"')\].,;:])|(?:doi:\s*)(?P<doi>10\.\d{4,9}/[^\s<>\"',;]+[^\s<>\"',;.)])", re.IGNORECASE
)


def provenance(view: View) -> str:
    """HTML of the provenance table."""
    found = rows(view.report.get("provenance"))
    if not found:
        return "<p>The result carries no provenance.</p>"
    doubtful = sum(row.get("verified") is False for row in found)
    body = ""
    for _, group in groupby(found, key=lambda row: (row.get("source"), row.get("node"), row.get("verified"))):
        members = list(group)
        body += "".join(_source_row(row, span=0 if index else len(members)) for index, row in enumerate(members))
    said = f"{len(found)} quantities. {doubtful} rest on a declared model that no synthesis or citation backs yet; they are marked."
    heading = head("quantity", "#value", "unit", "source", "node", "standing")
    return f"<p>{said}</p>{table(heading, body, 'Provenance of every number', css='provenance')}"


def _source_row(found: Json, *, span: int) -> str:
    """One quantity; `span`: over how many rows its source is written, 0 when a row above has written it."""
    value = finite(found.get("value"))
    shown = number(value, 4) if value is not None else text(found.get("value"))
    spread = pair(found.get("spread"))
    shown += f" <small>[{number(spread[0], 4)}, {number(spread[1], 4)}]</small>" if spread else ""
    unit = text(found.get("unit"))
    unit = "ratio" if unit == "1" else unit
    cells = f"<th scope=row>{text(found.get('quantity'))}</th><td class=n>{shown}</td><td>{unit}</td>"
    if span:
        cells += (
            f"<td rowspan={span}>{linked(str(found.get('source') or ''))}</td><td rowspan={span} class=w>{text(found.get('node'))}</td>"
        )
        cells += f"<td rowspan={span}>{badge(found.get('verified'))}</td>"
    return f"<tr>{cells}</tr>"


def linked(source: str) -> str:
    """A source as HTML: web addresses and `doi:10...` become links (never loaded by the page), all else is escaped."""
    parts, end = [], 0
    for match in _LINK.finditer(source):
        address = match["url"] or f"https://doi.org/{match['doi']}"
        parts += [escape(source[end : match.start()]), f'<a href="{escape(address)}" rel="noreferrer">{escape(match.group())}</a>']
        end = match.end()
    return "".join([*parts, escape(source[end:])]) or text(None)


def search(view: View) -> str:
    """HTML of the settings, the finalists, the trials and what failed."""
    return f"{_settings(view)}{_finalists(view)}{_trials(view)}{_failures(view)}"


def _settings(view: View) -> str:
    report = view.report
    command = f"<pre tabindex=0><code>{escape(str(report['command']))}</code></pre>" if report.get("command") else ""
    pairs: list[tuple[str, object]] = [("seed", report.get("seed")), ("largest drop allowed, points", view.max_drop)]
    seconds = finite(report.get("seconds"))
    pairs.append(("run time", f"{fixed(seconds, 0)} s" if seconds is not None else None))
    pairs += [(str(key).replace("_", " "), _plain(value)) for key, value in mapping(report.get("settings")).items()]
    pairs += [(f"version of {key}", value) for key, value in mapping(report.get("versions")).items()]
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{text(value)}</dd></div>" for name, value in pairs if value is not None)
    return f'{command}<dl class="settings">{items}</dl>'


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} = {item}" for key, item in value.items())
    return value


def _finalists(view: View) -> str:
    """Designs measured on more images: validation beside test."""
    found = rows(view.report.get("finalists"))
    if not found:
        return ""
    body = ""
    for row in found:
        cells = f"<td class=n>{text(row.get('trial', row.get('id')))}</td><td class=n>{fixed(finite(row.get('energy_saving')), 1)}</td>"
        for split in ("validation", "test"):
            measured = mapping(row.get(split))
            count = finite(measured.get("n"))
            cells += f"<td class=n>{with_interval(measured.get('drop'), measured.get('drop_ci'))}</td><td class=n>{fixed(count, 0)}</td>"
        body += f"<tr>{cells}</tr>"
    heading = head("#trial", "#energy saving, %", "#validation drop, points", "#images", "#test drop, points", "#images")
    return f"<h3>Finalists</h3>{table(heading, body, 'Finalists')}"


def _trials(view: View) -> str:
    if not view.trials:
        return "<p>No trial was run.</p>"
    said = f"{fixed(len(view.trials), 0)} trials, {len(view.failed)} of them failed. Drop in points against float32.{view.note}"
    heading = "".join(f'<th class="{kind}" data-sort="{kind}">{name}</th>' for name, kind in _COLUMNS)
    heading += '<th class="script-only">plan</th>'
    body = "".join(_trial_row(trial) for trial in view.trials)
    return f"<h3>Trials</h3><p>{said}</p>{table(heading, body, 'Trials of the search', css='trials')}"


_COLUMNS = (
    ("trial", "n"),
    ("status", "t"),
    ("drop, points", "n"),
    ("95 % interval", "n"),
    ("images", "n"),
    ("split", "t"),
    ("energy saving, %", "n"),
    ("area saving, %", "n"),
)


def _trial_row(trial: Trial) -> str:
    low = trial.drop_ci[0] if trial.drop_ci else None
    bounds = f"[{fixed(trial.drop_ci[0], 2)}, {fixed(trial.drop_ci[1], 2)}]" if trial.drop_ci else text(None)
    mark = "chosen" if trial.best else "front" if trial.front else ""
    state = escape(trial.status) + (f' <span class="badge {mark}">{mark}</span>' if mark else "")
    cells = f"<td class=n>{escape(trial.id)}</td><td>{state}</td>{_cell(trial.drop, 2)}{_cell(low, 2, bounds)}{_cell(trial.images, 0)}"
    cells += f"<td>{text(trial.split)}</td>{_cell(trial.energy, 1)}{_cell(trial.area, 1)}"
    plan = f'<button type="button" data-id="{escape(trial.id)}">show</button>' if trial.plan else ""
    return f'<tr>{cells}<td class="script-only">{plan}</td></tr>'


def _cell(value: float | None, decimals: int, shown: str = "") -> str:
    """A number cell that sorts by its value, not by its text."""
    key = "" if value is None else f' data-v="{value:.6g}"'
    return f"<td class=n{key}>{shown or fixed(value, decimals)}</td>"


def _failures(view: View) -> str:
    if not view.failed:
        return ""
    folds = "".join(_failure(trial) for trial in view.failed)
    return f"<h3>Failed trials</h3>{folds}"


def _failure(trial: Trial) -> str:
    reason = trial.failure.strip()
    last = escape(reason.splitlines()[-1]) if reason else "no traceback recorded"
    if "\n" not in reason and not trial.plan:
        return f"<p>Trial {escape(trial.id)}: {last}</p>"
    plan = f"<p>Its plan:</p><pre>{escape(trial.plan)}</pre>" if trial.plan else ""
    trace = f"<pre>{escape(reason)}</pre>" if reason else ""
    return fold(f"Trial {escape(trial.id)}: {last}", trace + plan)
