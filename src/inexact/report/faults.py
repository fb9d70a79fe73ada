"""The report of a fault campaign as one HTML file: rates with intervals, and a map of every layer and bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from inexact.core.files import write_text
from inexact.report._heatmap import css_class, level
from inexact.report.charts import WIDTH, rectangle, svg, write
from inexact.report.html import _asset

LEFT, ROW = 170, 18
"""Room for names of layers, height of a row of the map."""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Fault campaign</title>
<style>
$style
</style>
</head>
<body>
<header><p class="about">$about</p><h1>Fault campaign</h1></header>
<main>
<section><h2>Rates</h2>
<p>SDC-1: the class differs from the fault-free one. SDC-5: the fault-free class is not among the five of highest score. Critical: a right
answer becomes wrong. Intervals: $confidence % confidence; $images test images, $top1 % of them right without a fault.</p>
<div class="scroll">$rates</div>
</section>
$maps
</main>
</body>
</html>
""")


def write_html(report: Mapping[str, Any], path: str | Path) -> Path:
    """Write the report of a campaign (what `Campaign.run` gives) to `path` by atomic rename; return the path."""
    target = Path(path)
    write_text(target, render(report))
    return target


def render(report: Mapping[str, Any]) -> str:
    """The page as text."""
    settings = report["settings"]
    about = " · ".join(f"{escape(str(name))} <b>{escape(str(value))}</b>" for name, value in settings["about"].items() if value)
    maps = "\n".join(f"<section><h2>{escape(found['fault'])}</h2>\n{heat_map(found)}\n</section>" for found in report["faults"])
    return _PAGE.substitute(
        style=_asset("style.css"),
        about=about,
        confidence=f"{100 * settings['confidence']:g}",
        images=report["images"],
        top1=f"{report['top1']:.2f}",
        rates=_rates(report["faults"]),
        maps=maps,
    )


def _rates(faults: Sequence[Mapping[str, Any]]) -> str:
    heads = ("fault", "faults run", "SDC-1 %", "SDC-5 %", "critical %", "accuracy drop, points")
    rows = []
    for found in faults:
        cells = "".join(f"<td>{shown(found[name])}</td>" for name in ("sdc1", "sdc5", "critical", "drop"))
        rows.append(f"<tr><th scope=row>{escape(found['fault'])}</th><td>{found['n']:,}</td>{cells}</tr>")
    return f"<table><thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def shown(rate: Mapping[str, Any]) -> str:
    """A rate in percent with its interval."""
    low, high = rate["ci"]
    return f"{rate['value']:.2f} [{low:.2f}, {high:.2f}]"


def heat_map(found: Mapping[str, Any]) -> str:
    """SVG of the SDC-1 rate by layer (downwards) and bit (to the right); every cell has its rate, interval and count as a tooltip."""
    cells = found["cells"]
    layers = list(dict.fromkeys(cell["layer"] for cell in cells))
    bits = sorted({cell["bit"] for cell in cells}, key=lambda bit: -1 if bit is None else bit)
    largest = max((cell.get("value", 0.0) for cell in cells), default=0.0)
    wide = (WIDTH - LEFT) / len(bits)
    drawn = [write(LEFT - 8, 20 + ROW * row + 13, layer or "chip", anchor="end", css="tick") for row, layer in enumerate(layers)]
    for cell in cells:
        x, y = LEFT + wide * bits.index(cell["bit"]), 20 + ROW * layers.index(cell["layer"])
        where = f"{cell['layer'] or 'chip'}, bit {cell['bit']}" if cell["bit"] is not None else cell["layer"] or "chip"
        if "value" in cell:
            title = f"{where}: SDC-1 {shown(cell)} %, {cell['n']} faults of {cell['sites']:,} sites"
            drawn.append(rectangle(x, y, wide - 1, ROW - 1, css_class(level(cell["value"], largest)), title))
        else:
            drawn.append(rectangle(x, y, wide - 1, ROW - 1, "outside", f"{where}: no fault was drawn"))
    bottom = 20 + ROW * len(layers)
    step = max(1, len(bits) // 16)
    drawn += [
        write(LEFT + wide * (place + 0.5), bottom + 16, "" if bit is None else str(bit), anchor="middle", css="tick")
        for place, bit in enumerate(bits)
        if place % step == 0
    ]
    drawn.append(write(WIDTH, bottom + 34, f"bit; darkest: SDC-1 of {largest:.2f} %", anchor="end", css="axis-title"))
    return svg("".join(drawn), height=bottom + 42, label=f"SDC-1 rate of {found['fault']} by layer and bit, at most {largest:.2f} %")
