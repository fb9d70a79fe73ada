"""Pictures that stand alone: SVG documents with their own colours, for pages that have no style sheet of ours."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

INK, FAINT, GRID = "#222", "#767676", "#ddd"
SERIES = ("#1f5fa8", "#d9772b", "#3b8f5a", "#8a56a3", "#b3433f", "#5f6b76", "#b59a1c", "#2e9aa6", "#a0527f")
"""Colours of series, in order: distinct in print and for readers who see red and green alike; the last ones less so."""


def document(parts: Iterable[str], *, width: float, height: float, label: str) -> str:
    """An SVG document of white ground with an accessible name."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label, quote=True)}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
    )
    return "\n".join([head, f'<rect width="{width:g}" height="{height:g}" fill="#fff"/>', *parts, "</svg>"]) + "\n"


def text(x: float, y: float, content: str, *, size: float = 12, anchor: str = "start", colour: str = INK) -> str:
    """A text element at (x, y); its content is escaped here."""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" fill="{colour}">{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, colour: str = GRID, width: float = 1) -> str:
    """A straight line."""
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="{width:g}"/>'


def dot(x: float, y: float, radius: float, *, colour: str, title: str = "", hollow: bool = False) -> str:
    """A circle, filled or drawn round; `title` is its tooltip."""
    paint = f'fill="#fff" stroke="{colour}" stroke-width="1.5"' if hollow else f'fill="{colour}"'
    inside = f"><title>{escape(title)}</title></circle>" if title else "/>"
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" {paint}{inside}'


def key(entries: Iterable[tuple[str, str]], *, x: float, y: float, step: float) -> list[str]:
    """A row of (name, colour) with a dot before each."""
    found = []
    for place, (name, colour) in enumerate(entries):
        found += [dot(x + place * step, y - 4, 5, colour=colour), text(x + 10 + place * step, y, name)]
    return found
