"""Curves with an interval band against one quantity, as one self-contained SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from inexact.report.charts import Scale, tick_label, ticks

WIDTH, LEFT, RIGHT, TOP, HEIGHT_OF_PANEL, GAP = 760, 70, 30, 80, 230, 90
INK, FAINT, GRID = "#222", "#767676", "#ddd"
COLOURS = ("#1f5fa8", "#d9772b", "#3a8a4d", "#8a4d8f")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """label; points: (x, y); band: (low, high) of every point, or none."""

    label: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves over one vertical axis. title: what it shows, with its unit."""

    title: str
    curves: tuple[Curve, ...]


def picture(title: str, axis: str, panels: Sequence[Panel], *, logarithmic: bool = False) -> str:
    """SVG document: panels below each other over one horizontal axis `axis`. Every panel must have at least one point.

    logarithmic: of the horizontal axis, whose values are then positive.
    """
    panels = [_by_logarithm(panel) for panel in panels] if logarithmic else panels
    height = TOP + len(panels) * (HEIGHT_OF_PANEL + GAP)
    places = [x for panel in panels for curve in panel.curves for x, _ in curve.points]
    across = Scale(low=min(places), high=max(places), start=LEFT, end=WIDTH - RIGHT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(title, quote=True)}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(16, 28, title, size=16),
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, across, TOP + number * (HEIGHT_OF_PANEL + GAP), logarithmic=logarithmic)
    parts.append(_text(WIDTH - RIGHT, height - 12, axis, anchor="end", colour=FAINT))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _by_logarithm(panel: Panel) -> Panel:
    curves = tuple(replace(curve, points=tuple((math.log10(x), y) for x, y in curve.points)) for curve in panel.curves)
    return replace(panel, curves=curves)


def _panel(panel: Panel, across: Scale, top: float, *, logarithmic: bool) -> list[str]:
    values = [y for curve in panel.curves for _, y in curve.points] + [end for curve in panel.curves for pair in curve.band for end in pair]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 1.0
    up = Scale(low=low - margin, high=high + margin, start=top + HEIGHT_OF_PANEL, end=top)
    parts = [_text(16, top - 14, panel.title)]
    for scale, vertical in ((up, True), (across, False)):
        marks = ticks(scale.low, scale.high, 6)
        step = marks[1] - marks[0] if len(marks) > 1 else 1.0
        labels = [f"{round(10**mark):g}" if logarithmic and not vertical else tick_label(mark, step) for mark in marks]
        parts += [_tick(scale(mark), label, top, vertical=vertical) for mark, label in zip(marks, labels, strict=True)]
    for place, curve in enumerate(panel.curves):
        colour = COLOURS[place % len(COLOURS)]
        parts += _curve(curve, across, up, colour)
        x = LEFT + 190 * place
        parts.append(f'<rect x="{x}" y="{top + HEIGHT_OF_PANEL + 28}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(x + 18, top + HEIGHT_OF_PANEL + 38, curve.label))
    return parts


def _tick(at: float, label: str, top: float, *, vertical: bool) -> str:
    if vertical:
        return f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="{GRID}"/>' + _text(LEFT - 8, at + 4, label, anchor="end", colour=FAINT)
    bottom = top + HEIGHT_OF_PANEL
    return f'<path d="M{at} {top}V{bottom}" stroke="{GRID}"/>' + _text(at, bottom + 16, label, anchor="middle", colour=FAINT)


def _curve(curve: Curve, across: Scale, up: Scale, colour: str) -> list[str]:
    order = sorted(range(len(curve.points)), key=lambda i: curve.points[i][0])
    line = [(across(curve.points[i][0]), up(curve.points[i][1])) for i in order]
    parts = []
    if curve.band:
        edge = [(across(curve.points[i][0]), up(curve.band[i][0])) for i in order]
        edge += [(across(curve.points[i][0]), up(curve.band[i][1])) for i in reversed(order)]
        parts.append(f'<polygon points="{_joined(edge)}" fill="{colour}" opacity="0.2"/>')
    parts.append(f'<polyline points="{_joined(line)}" fill="none" stroke="{colour}" stroke-width="2"/>')
    return parts + [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in line]


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def _text(x: float, y: float, content: str, *, size: int = 12, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(content)}</text>'
