"""Picture of an energy account: a stacked bar for every layer and for the whole, one self-contained SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from inexact.report._values import energy, energy_scale

WIDTH, LEFT, RIGHT, ROW, TOP = 960, 220, 110, 22, 96
COLOURS = ("#1f5fa8", "#d9772b", "#3c8d5a", "#b8405e", "#7a62b3", "#8c6d46", "#4aa3b5", "#9aa0a6")
INK, FAINT = "#222", "#767676"
MOST_LAYERS = 60
"""Bars at most; the layers of least energy are drawn together."""


def picture(account: Mapping[str, Any]) -> str:
    """SVG document of `Cost.to_json()` with `energy_by_layer_and_component`: above the whole, below its layers on a scale of their own.

    Opens by itself in a browser; components beyond seven are drawn together.
    """
    layers: dict[str, dict[str, float]] = dict(account["energy_by_layer_and_component"])
    whole = {name: figure["value"] for name, figure in account["energy_pj"]["by_component"].items() if figure["value"] > 0}
    shown = sorted(whole, key=lambda name: -whole[name])[: len(COLOURS) - 1]
    names = [*shown, "others"] if len(whole) > len(shown) else shown
    rows = _rows(layers)
    largest = max(sum(parts.values()) for _, parts in rows)
    height = TOP + ROW * (len(rows) + 3) + 40 + 20 * (1 + len(names) // 4)
    label = f"Energy of one inference of {account['network']} on {account['accelerator']} by layer and component"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{escape(label, quote=True)}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(16, 28, f"{account['network']} on {account['accelerator']}", size=17),
        _text(16, 50, "energy of one inference by component: the whole, and below, on a scale of their own, its layers", colour=FAINT),
        *_legend(names),
    ]
    y = TOP + 20 * (len(names) // 5)
    parts += _bar("whole network", whole, names, sum(whole.values()), y)
    y += 2 * ROW
    for name, found in rows:
        parts += _bar(name, found, names, largest, y)
        y += ROW
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rows(layers: Mapping[str, Mapping[str, float]]) -> list[tuple[str, Mapping[str, float]]]:
    if len(layers) <= MOST_LAYERS:
        return list(layers.items())
    kept = set(sorted(layers, key=lambda name: -sum(layers[name].values()))[: MOST_LAYERS - 1])
    rest: dict[str, float] = {}
    for name, parts in layers.items():
        if name not in kept:
            for component, value in parts.items():
                rest[component] = rest.get(component, 0.0) + value
    return [*((name, parts) for name, parts in layers.items() if name in kept), (f"{len(layers) - len(kept)} others", rest)]


def _bar(label: str, parts: Mapping[str, float], names: list[str], largest: float, y: float) -> list[str]:
    total = sum(parts.values())
    scale, unit = energy_scale(total or 1.0)
    drawn = [
        _text(LEFT - 8, y + 14, label if len(label) < 32 else f"…{label[-30:]}", anchor="end"),
        _text(LEFT + (WIDTH - LEFT - RIGHT) * total / largest + 6, y + 14, energy(total, total), colour=FAINT),
    ]
    start = float(LEFT)
    for place, name in enumerate(names):
        value = parts.get(name, 0.0) if name != "others" else sum(v for n, v in parts.items() if n not in names)
        width = (WIDTH - LEFT - RIGHT) * value / largest
        if width <= 0:
            continue
        title = f"{label}, {name.replace('_', ' ')}: {value / scale:.4g} {unit} ({100 * value / total:.1f} %)"
        box = f'x="{start:.1f}" y="{y + 2}" width="{width:.1f}" height="{ROW - 6}" fill="{COLOURS[place]}"'
        drawn.append(f"<rect {box}><title>{escape(title)}</title></rect>")
        start += width
    return drawn


def _legend(names: list[str]) -> list[str]:
    drawn = []
    for place, name in enumerate(names):
        x, y = 16 + 186 * (place % 5), 62 + 20 * (place // 5)
        drawn += [f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOURS[place]}"/>', _text(x + 18, y + 11, name.replace("_", " "))]
    return drawn


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
