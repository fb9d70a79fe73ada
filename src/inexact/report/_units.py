"""Fifth section: what each unit of the chosen plan does wrong, with the names and normalisers of its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from inexact.core.estimate import Estimate
from inexact.metrics.passport import CONVENTIONS
from inexact.report._heatmap import by_value, grid, heatmap
from inexact.report._values import Json, estimate, head, mapping, number, rows, table, text
from inexact.report._view import View

METRICS = {
    "error_probability": "error probability",
    "mean_error": "mean error (bias)",
    "error_variance": "error variance",
    "mae": "MAE (= MED)",
    "mse": "MSE",
    "rmse": "RMSE",
    "wce": "WCE",
    "mred": "MRED (= MRE)",
    "mred_all": "MRED, all pairs",
    "wcre": "WCRE",
    "nmed": "NMED",
    "mae_range": "MAE, of range",
    "var_abs_error": "variance of |error|",
    "pred_2pct": "PRED(2 %)",
    "error_rank": "error rank",
    "zero_exact": "exact at zero",
    "commutative": "commutative",
}
"""Metric -> its name in the table; the conventions are those of `metrics.CONVENTIONS`."""


def units(view: View) -> str:
    """HTML of the section: error maps side by side, then metrics and costs in tables that compare the units."""
    found = rows(view.report.get("units"))
    if not found:
        return "<p>The result carries no unit.</p>"
    used = rows(view.best.get("layers"))
    cards = "".join(_card(unit, index, _layers(unit, used)) for index, unit in enumerate(found))
    said = (
        "Error is approx \u2212 exact. Metrics are exhaustive over all operand pairs with equal weight, unless the profile says otherwise."
    )
    return f'<p>{said}</p><div class="units">{cards}</div>{_metrics(found)}{_costs(found)}'


def maps(report: Json) -> list[list[list[float]] | None]:
    """The error map of every unit as drawn, rounded to 3 digits for the page's script; None where there is none."""
    found = [_cells(unit) for unit in rows(report.get("units"))]
    return [None if cells is None else [[float(f"{value:.3g}") for value in row] for row in cells] for cells in found]


def _cells(unit: Json) -> list[list[float]] | None:
    """The error map, operands in increasing order of value."""
    cells = grid(unit.get("error_heatmap"))
    return by_value(cells) if cells and _signed(unit) else cells


def _signed(unit: Json) -> bool:
    return bool(_profile(unit).get("signed"))


def _profile(unit: Json) -> Json:
    return mapping(unit.get("metrics") or unit.get("profile"))


def _layers(unit: Json, layers: Sequence[Json]) -> str:
    names = [str(layer.get("name")) for layer in layers if layer.get("multiplier") == unit.get("spec")]
    if not names:
        return ""
    return f"<p>Used in {len(names)} {'layer' if len(names) == 1 else 'layers'}: {escape(', '.join(names))}</p>"


def _card(unit: Json, index: int, used: str) -> str:
    name = _name(unit)
    digest = f'<p class="sha">SHA-256 of its table <code>{text(unit.get("sha256"))}</code></p>'
    return f'<article class="unit"><h3><code>{_heading(unit)}</code></h3>{used}{_map(unit, name, index)}{digest}</article>'


def _name(unit: Json) -> str:
    return str(unit.get("spec") or "unit without a name")


def _heading(unit: Json) -> str:
    """The unit's name as HTML that may break after a comma."""
    return escape(_name(unit)).replace(",", ",<wbr>")


def _map(unit: Json, name: str, index: int) -> str:
    cells = _cells(unit)
    if cells is None:
        return ""
    if not any(value for row in cells for value in row):
        exact = _profile(unit).get("error_probability") == 0
        return "<p>Exact: every product is right.</p>" if exact else "<p>The mean error of every block is zero.</p>"
    width = _profile(unit).get("width")
    bits = width if isinstance(width, (list, tuple)) and len(width) == 2 else (8, 8)
    codes = (2 ** int(bits[0]), 2 ** int(bits[1]))
    first = (-codes[0] // 2, -codes[1] // 2) if _signed(unit) else (0, 0)
    picture = heatmap(cells, name=name, codes=codes, first=first, index=index)
    rule = f"Mean error in {len(cells)} \u00d7 {len(cells[0])} blocks of operand pairs, output units."
    caption = f'<figcaption>{rule} <output class="script-only" id="map-{index}"></output></figcaption>'
    return f'<figure class="unit-map">{picture}{caption}</figure>'


def _metrics(found: Sequence[Json]) -> str:
    """One table: a row for each metric that any unit has, with its convention, and a column for each unit."""
    profiles = [_profile(unit) for unit in found]
    body = ""
    for metric, title in METRICS.items():
        if all(profile.get(metric) is None for profile in profiles):
            continue
        values = "".join(f"<td class=n>{_metric(profile.get(metric))}</td>" for profile in profiles)
        body += f"<tr><th scope=row>{title}</th><td>{escape(CONVENTIONS.get(metric, ''))}</td>{values}</tr>"
    if not body:
        return ""
    names = (f"#<code>{_heading(unit)}</code>" for unit in found)
    return f"<h3>Error metrics</h3>{table(head('metric', 'convention', *names), body, 'Error metrics', css='metrics')}"


def _metric(raw: object) -> str:
    if isinstance(raw, bool):
        return "yes" if raw else "no"
    found = estimate(raw)
    return number(found.value, 4) if found else text(raw)


def _costs(found: Sequence[Json]) -> str:
    """One table: a row for each cost of each unit, with its spread and source."""
    body = ""
    for unit in found:
        costs = [(str(name), estimate(raw)) for name, raw in mapping(unit.get("cost")).items()]
        known = [(name, cost) for name, cost in costs if cost]
        for index, (name, cost) in enumerate(known):
            first = f"<th scope=row rowspan={len(known)}><code>{_heading(unit)}</code></th>" if index == 0 else ""
            body += f"<tr>{first}{_cost(name, cost)}</tr>"
    if not body:
        return ""
    heading = head("unit", "quantity", "#value", "#spread", "source", "node", "standing")
    title = "<h3>Cost, relative to the exact 8 \u00d7 8 multiplier unless a unit is given</h3>"
    return title + table(heading, body, "Cost of each unit", css="costs")


def _cost(name: str, cost: Estimate) -> str:
    unit = "" if cost.unit in ("1", "") else f" {escape(cost.unit)}"
    spread = f"[{number(cost.spread[0])}, {number(cost.spread[1])}]" if cost.spread else text(None)
    cells = f"<td>{escape(name.replace('_', ' '))}</td><td class=n>{number(cost.value, 4)}{unit}</td><td class=n>{spread}</td>"
    return f"{cells}<td>{text(cost.source)}</td><td class=w>{text(cost.node)}</td><td>{badge(cost.verified)}</td>"


def badge(verified: object) -> str:
    """A mark that says in words whether a number is backed by synthesis, a citation or a computation."""
    if verified is None:
        return ""
    return '<span class="badge verified">verified</span>' if verified else '<span class="badge unverified">unverified</span>'
