"""Picture of a metric study: rank correlation of every metric with the drop, before and after correction, one self-contained SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inexact.report.picture import FAINT, document, dot, line, text

WIDTH, LEFT, RIGHT, ROW, TOP = 900, 250, 40, 22, 110
STAGES = {"raw": ("#1f5fa8", "without correction"), "corrected": ("#d9772b", "after bias and gain correction")}


def picture(found: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> str:
    """SVG document of `scores` as JSON: a dot for the mean over groups, a line for its 95 % interval; sorted by the corrected one."""
    order = [score["metric"] for score in found["corrected"]]
    height = TOP + ROW * len(order) + 50
    parts = [
        text(16, 28, title, size=16),
        text(16, 48, "Spearman rank correlation with the accuracy drop; mean over networks, data and codings, 95 % bootstrap interval"),
    ]
    for place, (colour, label) in enumerate(STAGES.values()):
        parts += [dot(22 + 220 * place, 70, 5, colour=colour), text(34 + 220 * place, 74, label)]
    bottom = TOP + ROW * len(order)
    for tick in (-1, -0.5, 0, 0.5, 1):
        x = _x(tick)
        parts.append(line(x, TOP - 10, x, bottom))
        parts.append(text(x, bottom + 18, f"{tick:g}", anchor="middle", colour=FAINT))
    for stage, (colour, _) in STAGES.items():
        known = {score["metric"]: score for score in found[stage]}
        for row, name in enumerate(order):
            if name in known:
                parts += _mark(known[name], TOP + ROW * row + (-3 if stage == "raw" else 4), colour)
    parts += [text(LEFT - 14, TOP + ROW * row + 4, name, anchor="end") for row, name in enumerate(order)]
    return document(parts, width=WIDTH, height=height, label=title)


def _mark(score: Mapping[str, Any], y: float, colour: str) -> list[str]:
    low, high = score["ci"]
    x = _x(score["spearman"])
    return [line(_x(low), y, _x(high), y, colour=colour, width=2), dot(x, y, 4, colour=colour)]


def _x(value: float) -> float:
    return round(LEFT + (value + 1) / 2 * (WIDTH - LEFT - RIGHT), 1)
