"""Picture of a criticality map: accuracy lost under each fault of a grid, one self-contained SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

LEFT, TOP, RIGHT, CELL, MOST_ROWS = 190, 96, 40, 26, 48
INK, FAINT = "#222", "#767676"
RED, BLUE = (178, 24, 43), (33, 102, 172)


def picture(found: Mapping[str, Any]) -> str:
    """SVG document of a `CriticalityMap` as JSON: red cells lose accuracy, blue ones gain. Of more rows than fit, those that cost most."""
    rows = list(range(len(found["rows"])))
    shown = sorted(sorted(rows, key=lambda row: -max(found["loss"][row]))[:MOST_ROWS])
    width = max(LEFT + CELL * len(found["columns"]) + RIGHT, 560)
    height = TOP + CELL * len(shown) + 84
    largest = max(1.0, *(abs(value) for row in found["loss"] for value in row))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(found["title"], quote=True)}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(16, 28, found["title"], size=15),
        _text(16, 48, f"accuracy lost in points on {found['images']} images; without a fault {found['top1']:.1f} %", colour=FAINT),
        _text(LEFT - 10, TOP - 14, found["row_name"], anchor="end", colour=FAINT),
        _text(LEFT + CELL * len(found["columns"]) + 6, TOP - 14, found["column_name"], colour=FAINT),
    ]
    parts += [_text(LEFT + CELL * j + CELL / 2, TOP - 14, name, anchor="middle") for j, name in enumerate(found["columns"])]
    for place, row in enumerate(shown):
        y = TOP + CELL * place
        parts.append(_text(LEFT - 10, y + CELL / 2 + 4, found["rows"][row], anchor="end"))
        parts += [_cell(found, row, j, y, largest) for j in range(len(found["columns"]))]
    parts += _key(largest, TOP + CELL * len(shown) + 30)
    if len(shown) < len(rows):
        parts.append(_text(16, height - 12, f"the {len(shown)} of {len(rows)} rows that cost most", colour=FAINT))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _cell(found: Mapping[str, Any], row: int, column: int, y: float, largest: float) -> str:
    loss, low, high = (found[name][row][column] for name in ("loss", "low", "high"))
    title = f"{found['row_name']} {found['rows'][row]}, {found['column_name']} {found['columns'][column]}: {loss:+.1f} points"
    return (
        f'<rect x="{LEFT + CELL * column}" y="{y}" width="{CELL - 1}" height="{CELL - 1}" fill="{_colour(loss / largest)}" stroke="#eee">'
        f"<title>{escape(title)} [{low:+.1f}, {high:+.1f}]</title></rect>"
    )


def _key(largest: float, y: float) -> list[str]:
    steps = [f'<rect x="{LEFT + 10 * place}" y="{y}" width="10" height="12" fill="{_colour(place / 10)}"/>' for place in range(11)]
    return [*steps, _text(LEFT - 8, y + 11, "0", anchor="end"), _text(LEFT + 118, y + 11, f"{largest:.0f} points lost; blue: gained")]


def _colour(share: float) -> str:
    """White at 0, red towards 1, blue towards -1."""
    end, depth = (RED if share > 0 else BLUE), min(1.0, abs(share))
    return "#" + "".join(f"{round(255 + (channel - 255) * depth):02x}" for channel in end)


def _text(x: float, y: float, content: str, *, size: int = 12, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{colour}">{escape(content)}</text>'
