"""Picture of a detection study: detection rate of every detector for every kind of Trojan, one self-contained SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inexact.report.picture import FAINT, SERIES, document, dot, key, line, text

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 250, 40, 26, 112


def picture(found: Mapping[str, Mapping[str, Mapping[str, Any]]], title: str) -> str:
    """SVG document of kind -> detector -> ROC figures as JSON: a dot for the detection rate, a line for its 95 % interval."""
    kinds = list(found)
    names = list(next(iter(found.values()), {}))
    bottom = TOP + ROW * len(names)
    parts = [
        text(16, 26, title, size=16),
        text(16, 46, "share of Trojans found when at most 5 % of honest devices raise an alarm, 95 % interval", colour=FAINT),
        *key(zip(kinds, SERIES, strict=False), x=22, y=74, step=180),
    ]
    for percent in range(0, 101, 25):
        parts.append(line(_x(percent / 100), TOP - 10, _x(percent / 100), bottom))
        parts.append(text(_x(percent / 100), bottom + 18, f"{percent} %", anchor="middle", colour=FAINT))
    for row, name in enumerate(names):
        y = TOP + ROW * row
        parts.append(text(LEFT - 14, y + 4, name, anchor="end"))
        for place, (kind, colour) in enumerate(zip(kinds, SERIES, strict=False)):
            one, level = found[kind][name], y + 7 * (place - (len(kinds) - 1) / 2)
            low, high = one["tpr_ci"]
            parts.append(line(_x(low), level, _x(high), level, colour=colour, width=2))
            parts.append(dot(_x(one["tpr"]), level, 3.5, colour=colour, title=f"{name}, {kind}: {100 * one['tpr']:.0f} %"))
    return document(parts, width=WIDTH, height=bottom + 40, label=title)


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)
