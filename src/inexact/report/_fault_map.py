"""The map of a kind of fault by layer and bit, and rates of several networks as bars; both follow the page's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inexact.report._heatmap import css_class, level
from inexact.report.charts import SERIES, WIDTH, Scale, axis_x, rectangle, svg, whisker, write

LEFT, ROW = 170, 18
"""Room for names of layers, height of a row of the map."""
BAR = 13
"""Height of a bar."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Rows, columns and darkest colour of a map; maps of one frame can be compared. bits: None for what has no bits."""

    layers: tuple[str, ...]
    bits: tuple[int | None, ...]
    largest: float

    @classmethod
    def of(cls, *found: Mapping[str, Any]) -> Frame:
        """One that holds the cells of all."""
        cells = [cell for one in found for cell in one["cells"]]
        bits = sorted({cell["bit"] for cell in cells}, key=lambda bit: -1 if bit is None else bit)
        largest = max((cell.get("value", 0.0) for cell in cells), default=0.0)
        return cls(layers=tuple(dict.fromkeys(cell["layer"] for cell in cells)), bits=tuple(bits), largest=largest)


def shown(rate: Mapping[str, Any]) -> str:
    """A rate in percent with its interval, in plain characters."""
    low, high = rate["ci"]
    return f"{rate['value']:.2f} [{low:.2f}, {high:.2f}]"


def heat_map(found: Mapping[str, Any], frame: Frame | None = None, *, tips: bool = True) -> str:
    """SVG of the SDC-1 rate by layer (downwards) and bit (to the right).

    frame: rows and colours to share with another map. tips: whether every cell has its rate, interval and count as a tooltip; without
    them a map takes a tenth of the room.
    """
    frame = frame or Frame.of(found)
    wide = round((WIDTH - LEFT) / len(frame.bits), 2)
    drawn = [write(LEFT - 8, 20 + ROW * row + 13, layer or "chip", anchor="end", css="tick") for row, layer in enumerate(frame.layers)]
    paths: dict[str, str] = {}
    for cell in found["cells"]:
        x, y = round(LEFT + wide * frame.bits.index(cell["bit"]), 1), 20 + ROW * frame.layers.index(cell["layer"])
        css = css_class(level(cell["value"], frame.largest)) if "value" in cell else "outside"
        if tips:
            drawn.append(rectangle(x, y, wide - 1, ROW - 1, css, _tip(cell)))
        else:
            paths[css] = paths.get(css, "") + f"M{x:g} {y}h{wide - 1:g}v{ROW - 1}H{x:g}z"
    drawn += [f'<path class="{css}" d="{path}"/>' for css, path in sorted(paths.items())]
    return svg("".join(drawn) + _axis(frame, wide), height=20 + ROW * len(frame.layers) + 42, label=_label(found, frame))


def _axis(frame: Frame, wide: float) -> str:
    bottom = 20 + ROW * len(frame.layers)
    step = max(1, len(frame.bits) // 16)
    marks = [
        write(round(LEFT + wide * (place + 0.5), 1), bottom + 16, "" if bit is None else str(bit), anchor="middle", css="tick")
        for place, bit in enumerate(frame.bits)
        if place % step == 0
    ]
    return "".join(marks) + write(
        WIDTH, bottom + 34, f"bit; strongest colour: SDC-1 of {frame.largest:.2f} %", anchor="end", css="axis-title"
    )


def _label(found: Mapping[str, Any], frame: Frame) -> str:
    return f"SDC-1 rate of {found['fault']} by layer and bit, at most {frame.largest:.2f} %"


def _tip(cell: Mapping[str, Any]) -> str:
    where = f"{cell['layer'] or 'chip'}, bit {cell['bit']}" if cell["bit"] is not None else cell["layer"] or "chip"
    if "value" not in cell:
        return f"{where}: no fault was drawn"
    return f"{where}: SDC-1 {shown(cell)} %, {cell['n']} faults of {cell['sites']:,} sites"


def rate_bars(groups: Sequence[tuple[str, Sequence[tuple[int, Mapping[str, Any]]]]], *, title: str) -> str:
    """SVG of rates with their intervals. groups: (name, [(series, rate)]); bars of one series have one colour in all groups."""
    highest = max((rate["ci"][1] for _, rates in groups for _, rate in rates), default=0.0) or 1.0
    scale = Scale(low=0.0, high=highest, start=2.0, end=WIDTH - 14.0)
    drawn, y = [], 6.0
    for name, rates in groups:
        drawn.append(write(scale.start, y + 16, name))
        y += 24
        for series, rate in rates:
            drawn.append(
                rectangle(scale.start, y, scale(rate["value"]) - scale.start, BAR, f"s{series % SERIES}", f"{name}: {shown(rate)} %")
            )
            drawn.append(whisker(scale(rate["ci"][0]), scale(rate["ci"][1]), y + BAR / 2))
            y += BAR + 4
        y += 8
    return svg(axis_x(scale, top=6.0, bottom=y, title=title) + "".join(drawn), height=y + 46, label=title)
