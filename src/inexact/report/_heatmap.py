"""Heat map of a unit's mean error over its two operands: 15 colour levels, one path each, so it stays small and follows the theme."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from inexact.report._values import MINUS, finite, number

LEVELS = 7
"""Colour steps on each side of zero (classes n7..n1, z, p1..p7)."""


def grid(raw: object) -> list[list[float]] | None:
    """A rectangular matrix of finite numbers, or None when `raw` is anything else. numpy arrays are read by `tolist`."""
    convert = getattr(raw, "tolist", None)
    raw = convert() if callable(convert) else raw
    if not isinstance(raw, Sequence) or not raw or not all(isinstance(row, Sequence) and row for row in raw):
        return None
    values = [[finite(value) for value in row] for row in raw]
    if len({len(row) for row in values}) != 1 or any(value is None for row in values for value in row):
        return None
    return [[value or 0.0 for value in row] for row in values]


def by_value(cells: Sequence[Sequence[float]]) -> list[list[float]]:
    """A map over two's-complement bit patterns with its rows and columns in order of value: the negative half comes first."""
    half, middle = len(cells) // 2, len(cells[0]) // 2
    return [[*row[middle:], *row[:middle]] for row in (*cells[half:], *cells[:half])]


def level(value: float, largest: float) -> int:
    """Colour step of `value`, -LEVELS..LEVELS; 0 only for a value that is exactly zero."""
    if value == 0 or largest == 0:
        return 0
    steps = min(LEVELS, max(1, round(LEVELS * abs(value) / largest)))
    return steps if value > 0 else -steps


def css_class(step: int) -> str:
    """Style class of a colour step."""
    return "z" if step == 0 else f"{'p' if step > 0 else 'n'}{abs(step)}"


def heatmap(cells: Sequence[Sequence[float]], *, name: str, codes: tuple[int, int], first: tuple[int, int], index: int) -> str:
    """SVG of mean error, a upwards, b to the right, with its colour scale. codes: how many values a and b take; first: the smallest."""
    span_a, span_b = (f"{low} to {low + count - 1}".replace("-", MINUS) for low, count in zip(first, codes, strict=True))
    height, width = len(cells), len(cells[0])
    largest = max(abs(value) for row in cells for value in row)
    runs: dict[str, str] = {}
    for a, row in enumerate(cells):
        steps = [level(value, largest) for value in row]
        start = 0
        for b in range(1, width + 1):
            if b == width or steps[b] != steps[start]:
                css = css_class(steps[start])
                runs[css] = runs.get(css, "") + f"M{start} {height - 1 - a}h{b - start}v1h{start - b}z"
                start = b
    drawing = "".join(f'<path class="{css}" d="{path}"/>' for css, path in sorted(runs.items()))
    label = f"Mean error of {name} over activation a ({span_a}) and weight b ({span_b}); largest magnitude {number(largest)}"
    hooks = f'data-map="{index}" data-a="{codes[0]}" data-b="{codes[1]}" data-first-a="{first[0]}" data-first-b="{first[1]}"'
    shape = f'viewBox="0 0 {width} {height}" preserveAspectRatio="none" shape-rendering="crispEdges"'
    picture = f'<svg class="heat" {shape} role="img" aria-label="{escape(label)}" {hooks}>{drawing}</svg>'
    axes = f'<span class="axis-a">a, activation {escape(span_a)}</span><span class="axis-b">b, weight {escape(span_b)}</span>'
    return f'<div class="heat-box">{axes}{picture}{_key(largest)}</div>'


def _key(largest: float) -> str:
    """The colour scale with its two ends."""
    steps = "".join(f'<rect class="{css_class(step)}" x="{step + LEVELS}" width="1" height="1"/>' for step in range(-LEVELS, LEVELS + 1))
    strip = (
        f'<svg viewBox="0 0 {2 * LEVELS + 1} 1" preserveAspectRatio="none" shape-rendering="crispEdges" aria-hidden="true">{steps}</svg>'
    )
    return f'<div class="heat-key"><span>{number(-largest)}</span>{strip}<span>{number(largest)}</span></div>'
