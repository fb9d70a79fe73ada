"""The Pareto plot: energy or area saving against accuracy drop, one drawing per axis."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from inexact.report._values import fixed, number, with_interval
from inexact.report._view import Trial, View
from inexact.report.charts import Scale, axis_x, axis_y, line, marker, rectangle, svg, whisker, write

_LEFT, _RIGHT, _TOP, _BOTTOM = 48.0, 600.0, 44.0, 352.0
_STRIP = 626.0
"""x of the strip that holds points beyond the axis."""


def pareto(view: View, *, axis: str, title: str, label: str) -> str:
    """SVG of all measured trials along `axis` ("energy" or "area"); empty text when nothing was measured."""
    shown = [trial for trial in view.trials if trial.drop is not None and trial.saving(axis) is not None]
    if not shown:
        return ""
    x, beyond = drop_scale(shown, view.max_drop)
    savings = [trial.saving(axis) or 0.0 for trial in shown]
    low, high = min(0.0, *savings), max(1.0, *savings)
    y = Scale(low=low - 0.06 * (high - low) * (low < 0), high=high + 0.06 * (high - low), start=_BOTTOM, end=_TOP)
    body = [_outside(view.max_drop, x)]
    body.append(axis_x(x, top=_TOP, bottom=_BOTTOM, title="Accuracy drop against float32, points of top-1 (right is worse)"))
    body.append(axis_y(y, left=_LEFT, right=_RIGHT, title=title))
    body.append(_limit(view.max_drop, x))
    if beyond:
        body.append(write(_STRIP, _BOTTOM + 18, f"> {number(x.high)}", anchor="middle", css="tick"))
        body.append(line(_RIGHT + 5, _TOP, _RIGHT + 5, _BOTTOM, "break"))
    body.append(_steps([trial for trial in shown if trial.front], axis, x, y))
    for trial in sorted(shown, key=lambda trial: (trial.best, trial.front)):
        body.append(_point(trial, view.group(trial), axis, x, y))
    return svg("".join(body), height=404, label=label, role="group", extra=f'class="pareto" data-axis="{axis}"')


def drop_scale(trials: Sequence[Trial], max_drop: float | None) -> tuple[Scale, bool]:
    """The horizontal scale, and whether some trials lie beyond it.

    Drops of a search reach 80 points while the decision is made around 1: the scale ends at five times the limit (or, when no
    trial is that good, at the five best) and everything beyond is gathered in a strip.
    """
    drops = sorted(trial.drop or 0.0 for trial in trials)
    bounds = [trial.drop_ci for trial in trials if trial.drop_ci and (trial.front or trial.best)]
    end = 5 * max_drop if max_drop else drops[-1]
    end = max(end, drops[min(4, len(drops) - 1)], 0.5)
    if drops[-1] <= end:
        end = max([drops[-1] * 1.04, *(high for _, high in bounds if high <= end * 1.2), (max_drop or 0.0) * 1.5, 0.5])
    low = min([0.0, drops[0], *(bound for bound, _ in bounds)])
    low = max(low, -end) * 1.08
    return Scale(low=low, high=end, start=_LEFT, end=_RIGHT), drops[-1] > end


def _outside(max_drop: float | None, x: Scale) -> str:
    """Shade of the drops that are too large."""
    if max_drop is None or not x.low <= max_drop <= x.high:
        return ""
    return rectangle(x(max_drop), _TOP, x.end - x(max_drop), _BOTTOM - _TOP, "outside")


def _limit(max_drop: float | None, x: Scale) -> str:
    if max_drop is None or not x.low <= max_drop <= x.high:
        return ""
    place = x(max_drop)
    return line(place, _TOP - 6, place, _BOTTOM, "limit") + write(place + 5, _TOP + 12, f"limit {number(max_drop)}", css="limit-label")


def _steps(front: Sequence[Trial], axis: str, x: Scale, y: Scale) -> str:
    """Staircase through the front members that no other one beats in this plane."""
    path, highest = "", float("-inf")
    for trial in sorted(front, key=lambda trial: (trial.drop or 0.0, -(trial.saving(axis) or 0.0))):
        saving = trial.saving(axis) or 0.0
        if saving <= highest or (trial.drop or 0.0) > x.high:
            continue
        highest = saving
        path += f"M{x(trial.drop or 0.0):g} {y(saving):g}" if not path else f"H{x(trial.drop or 0.0):g}V{y(saving):g}"
    return f'<path class="steps" d="{path}H{x.end:g}"/>' if path else ""


def _point(trial: Trial, group: int, axis: str, x: Scale, y: Scale) -> str:
    drop, saving = trial.drop or 0.0, trial.saving(axis) or 0.0
    outside = drop > x.high
    across, up = (_STRIP if outside else x(drop)), y(saving)
    kind = "best" if trial.best else "front" if trial.front else "dominated"
    bounds = "" if outside or not trial.drop_ci else whisker(x(trial.drop_ci[0]), x(trial.drop_ci[1]), up, cut=trial.drop_ci[1] > x.high)
    ring = f'<path class="ring" d="{marker(0, across, up, 11)}"/>' if trial.best else ""
    size = 5.5 if trial.front or trial.best else 3.5
    focus = ' tabindex="0" role="button"' if trial.front or trial.best else ' role="img"'
    name = escape(describe(trial, axis))
    shape = f'<path class="dot" d="{marker(group, across, up, size)}"/>'
    return f'<g class="point {kind}" data-id="{escape(trial.id)}"{focus}><title>{name}</title>{bounds}{ring}{shape}</g>'


def describe(trial: Trial, axis: str) -> str:
    """One sentence about a point, for its tooltip without script and for screen readers."""
    place = "chosen design, " if trial.best else "on the front, " if trial.front else ""
    saving = f"{axis} saving {fixed(trial.saving(axis), 1)} %"
    return f"Trial {trial.id}: {place}{saving}, drop {with_interval(trial.drop, trial.drop_ci)} points ({trial.measured})"


def markers(view: View) -> str:
    """HTML legend: which marker stands for which images, and the colours of the three kinds of points."""
    counts = dict.fromkeys(view.groups, 0)
    for trial in view.trials:
        if trial.drop is not None:
            counts[(trial.split, trial.images)] += 1
    keys = [_key("best", 0, "chosen"), _key("front", 0, "on the front"), _key("dominated", 0, "dominated")]
    for index, (split, images) in enumerate(view.groups):
        place = f"{split or 'split not recorded'}, {fixed(images, 0)} images"
        keys.append(_key("shape", index, f"{place} ({counts[(split, images)]})"))
    return f'<ul class="legend">{"".join(keys)}</ul>'


def _key(kind: str, shape: int, label: str) -> str:
    ring = f'<path class="ring" d="{marker(0, 9, 9, 8)}"/>' if kind == "best" else ""
    drawing = f'<path class="dot" d="{marker(shape, 9, 9, 4.5)}"/>'
    return f'<li><svg class="mark {kind}" viewBox="0 0 18 18" aria-hidden="true">{ring}{drawing}</svg>{escape(label)}</li>'
