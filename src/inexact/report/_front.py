"""Second section: the Pareto front, and the plan of the selected point."""

from __future__ import annotations

from html import escape

from inexact.report._pareto import describe, markers, pareto
from inexact.report._values import fixed, fold, head, table, text, with_interval
from inexact.report._view import Trial, View

_AXES = {"energy": "Energy saving, % of the accelerator with DRAM", "area": "Area saving, % of the accelerator\u2019s area"}


def front(view: View) -> str:
    """HTML of the section."""
    plots = {axis: pareto(view, axis=axis, title=title, label=_label(view, axis)) for axis, title in _AXES.items()}
    plots = {axis: plot for axis, plot in plots.items() if plot}
    if not plots:
        return "<p>No trial was measured, so there is nothing to plot.</p>"
    return f"{_explanation(view)}{_switch(plots)}{markers(view)}{_panel(view)}{_front_table(view)}"


def _label(view: View, axis: str) -> str:
    measured = sum(trial.drop is not None for trial in view.trials)
    return f"Pareto plot of {measured} trials: {axis} saving against accuracy drop; {len(view.front)} on the front, listed below."


def _explanation(view: View) -> str:
    measured = [trial for trial in view.trials if trial.drop is not None]
    count = len(view.front)
    said = (
        f"{len(measured)} plans measured, {count} on the front over drop, energy and area. "
        if count
        else f"{len(measured)} plans measured. "
    )
    said += "Whiskers are 95 % intervals of the paired drop; the marker\u2019s shape tells on which images a plan was measured."
    said += view.note
    return f'<p>{said} <span class="script-only">Select a point to see its plan.</span></p>'


def _switch(plots: dict[str, str]) -> str:
    """Both drawings and the radio buttons that choose one; works without script."""
    inputs, figures = [], []
    for index, (axis, plot) in enumerate(plots.items()):
        checked = " checked" if index == 0 else ""
        inputs.append(
            f'<input type="radio" name="axis" id="axis-{axis}"{checked}><label for="axis-{axis}">{axis.capitalize()} saving</label>'
        )
        figures.append(f'<div class="plot plot-{axis}">{plot}</div>')
    if len(plots) == 1:
        return f'<figure class="switch only">{"".join(figures)}</figure>'
    return f'<figure class="switch">{"".join(inputs)}{"".join(figures)}</figure>'


def _panel(view: View) -> str:
    """The plan of the selected point; filled with the chosen design, replaced by the script on selection."""
    shown = view.chosen or next(iter(view.front), None)
    name = escape(describe(shown, "energy")) if shown else "The chosen design" if view.best else "No point is selected."
    plan = escape(shown.plan if shown and shown.plan else str(view.best.get("plan_toml") or "")) or (
        "no plan recorded" if view.best else ""
    )
    return (
        '<section class="panel" id="plan-panel" aria-live="polite" aria-label="Plan of the selected point">'
        f'<p id="plan-name">{name}</p>'
        '<button type="button" class="script-only" id="plan-copy">Copy plan (TOML)</button>'
        f'<pre id="plan-text" tabindex="0"><code>{plan}</code></pre></section>'
    )


def _front_table(view: View) -> str:
    if not view.front:
        return '<p class="empty">The front is empty.</p>'
    body = "".join(_row(trial) for trial in view.front)
    heading = head("trial", "#drop, points", "#energy saving, %", "#area saving, %", "measured on", "plan")
    return fold(f"The front as a table ({len(view.front)} designs)", table(heading, body, "The Pareto front"))


def _row(trial: Trial) -> str:
    plan = f"<details><summary>TOML</summary><pre>{escape(trial.plan)}</pre></details>" if trial.plan else text(None)
    mark = ' <span class="badge chosen">chosen</span>' if trial.best else ""
    cells = f"<td>{escape(trial.id)}{mark}</td><td class=n>{with_interval(trial.drop, trial.drop_ci)}</td>"
    cells += (
        f"<td class=n>{fixed(trial.energy, 1)}</td><td class=n>{fixed(trial.area, 1)}</td><td>{escape(trial.measured)}</td><td>{plan}</td>"
    )
    return f"<tr>{cells}</tr>"
