"""Picture of a metric study: rank correlation of every metric with the drop, before and after correction, one self-contained SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT, ROW, TOP = 900, 250, 40, 22, 110
INK, FAINT, GRID = "#222", "#767676", "#ddd"
STAGES = {"raw": ("#1f5fa8", "without correction"), "corrected": ("#d9772b", "after bias and gain correction")}


def picture(found: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> str:
    """SVG document of `scores` as JSON: a dot for the mean over groups, a line for its 95 % interval; sorted by the corrected one."""
    order = [score["metric"] for score in found["corrected"]]
    height = TOP + ROW * len(order) + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(title, quote=True)}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(16, 28, title, size=16),
        _text(16, 48, "Spearman rank correlation with the accuracy drop; mean over networks, data and codings, 95 % bootstrap interval"),
    ]
    for place, (colour, label) in enumerate(STAGES.values()):
        parts.append(f'<circle cx="{22 + 220 * place}" cy="70" r="5" fill="{colour}"/>')
        parts.append(_text(34 + 220 * place, 74, label))
    bottom = TOP + ROW * len(order)
    for tick in (-1, -0.5, 0, 0.5, 1):
        x = _x(tick)
        parts.append(f'<line x1="{x}" y1="{TOP - 10}" x2="{x}" y2="{bottom}" stroke="{GRID}"/>')
        parts.append(_text(x, bottom + 18, f"{tick:g}", anchor="middle", colour=FAINT))
    for stage, (colour, _) in STAGES.items():
        known = {score["metric"]: score for score in found[stage]}
        for row, name in enumerate(order):
            if name in known:
                parts += _mark(known[name], TOP + ROW * row + (-3 if stage == "raw" else 4), colour)
    parts += [_text(LEFT - 14, TOP + ROW * row + 4, name, anchor="end") for row, name in enumerate(order)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _mark(score: Mapping[str, Any], y: float, colour: str) -> list[str]:
    low, high = score["ci"]
    return [
        f'<line x1="{_x(low)}" y1="{y}" x2="{_x(high)}" y2="{y}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{_x(score["spearman"])}" cy="{y}" r="4" fill="{colour}"/>',
    ]


def _x(value: float) -> float:
    return round(LEFT + (value + 1) / 2 * (WIDTH - LEFT - RIGHT), 1)


def _text(x: float, y: float, content: str, *, size: int = 12, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(content)}</text>'
