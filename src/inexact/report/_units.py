"""Fifth section: what each unit of the chosen plan does wrong, with the names and normalisers of its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from inexact.core.estimate import Estimate
from inexact.report._heatmap import grid, heatmap
from inexact.report._values import Json, estimate, head, mapping, number, rows, table, text
from inexact.report._view import View

METRICS = {
    "error_probability": ("error probability", "share of operand pairs with a wrong product, 0 to 1"),
    "mean_error": ("mean error (bias)", "mean of approx \u2212 exact, output units"),
    "error_variance": ("error variance", "population variance of approx \u2212 exact, output units\u00b2"),
    "mae": ("MAE (= MED)", "mean absolute error, output units"),
    "mse": ("MSE", "mean squared error, output units\u00b2"),
    "rmse": ("RMSE", "root of the mean squared error, output units"),
    "wce": ("WCE", "worst absolute error, output units"),
    "mred": ("MRED (= MRE)", "mean relative error over pairs with exact \u2260 0"),
    "mred_all": ("MRED, all pairs", "0/0 counts as 0, the divisor is max(1, |exact|)"),
    "wcre": ("WCRE", "worst relative error over pairs with exact \u2260 0"),
    "nmed": ("NMED", "MAE \u00f7 max |exact|"),
    "mae_range": ("MAE, of range", "MAE \u00f7 2^(width a + width b)"),
    "var_abs_error": ("variance of |error|", "output units\u00b2"),
    "pred_2pct": ("PRED(2 %)", "share of pairs with relative error below 2 %"),
    "error_rank": ("error rank", "rank of the error table: 1 + this many exact products emulate the unit"),
    "zero_exact": ("exact at zero", "whether a product with 0 is 0"),
    "commutative": ("commutative", "whether unit(a, b) = unit(b, a)"),
}
"""Metric -> (name, convention); `approx - exact` is the error throughout."""


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
    """The error map of every unit, rounded to 3 digits for the page's script; None where there is none."""
    found = [grid(unit.get("error_heatmap")) for unit in rows(report.get("units"))]
    return [None if cells is None else [[float(f"{value:.3g}") for value in row] for row in cells] for cells in found]


def _layers(unit: Json, layers: Sequence[Json]) -> str:
    names = [str(layer.get("name")) for layer in layers if layer.get("multiplier") == unit.get("spec")]
    if not names:
        return ""
    return f"<p>Used in {len(names)} {'layer' if len(names) == 1 else 'layers'}: {escape(', '.join(names))}</p>"


def _card(unit: Json, index: int, used: str) -> str:
    name = _name(unit)
    digest = f'<p class="sha">SHA-256 of its table <code>{text(unit.get("sha256"))}</code></p>'
    return f'<article class="unit"><h3><code>{escape(name)}</code></h3>{used}{_map(unit, name, index)}{digest}</article>'


def _name(unit: Json) -> str:
    return str(unit.get("spec") or "unit without a name")


def _map(unit: Json, name: str, index: int) -> str:
    cells = grid(unit.get("error_heatmap"))
    if cells is None:
        return ""
    if not any(value for row in cells for value in row):
        exact = mapping(unit.get("metrics") or unit.get("profile")).get("error_probability") == 0
        return "<p>Exact: every product is right.</p>" if exact else "<p>The mean error of every block is zero.</p>"
    width = unit.get("width")
    bits = width if isinstance(width, (list, tuple)) and len(width) == 2 else (8, 8)
    picture = heatmap(cells, name=name, codes=(2 ** int(bits[0]), 2 ** int(bits[1])), index=index)
    rule = f"Mean error in {len(cells)} \u00d7 {len(cells[0])} blocks, output units; operands by bit pattern."
    caption = f'<figcaption>{rule} <output class="script-only" id="map-{index}"></output></figcaption>'
    return f'<figure class="unit-map">{picture}{caption}</figure>'


def _metrics(found: Sequence[Json]) -> str:
    """One table: a row for each metric that any unit has, with its convention, and a column for each unit."""
    profiles = [mapping(unit.get("metrics") or unit.get("profile")) for unit in found]
    body = ""
    for metric, (title, convention) in METRICS.items():
        if all(profile.get(metric) is None for profile in profiles):
            continue
        values = "".join(f"<td class=n>{_metric(profile.get(metric))}</td>" for profile in profiles)
        body += f"<tr><th scope=row>{title}</th><td>{escape(convention)}</td>{values}</tr>"
    if not body:
        return ""
    names = (f"#<code>{escape(_name(unit))}</code>" for unit in found)
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
            first = f"<th scope=row rowspan={len(known)}><code>{escape(_name(unit))}</code></th>" if index == 0 else ""
            body += f"<tr>{first}{_cost(name, cost)}</tr>"
    if not body:
        return ""
    heading = head("unit", "quantity", "#value", "#spread", "source", "node", "standing")
    return f"<h3>Cost, relative to the exact 8 \u00d7 8 multiplier unless a unit is given</h3>{table(heading, body, 'Cost of each unit')}"


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
