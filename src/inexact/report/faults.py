"""The report of a fault campaign as one HTML file: rates with intervals, and a map of every layer and bit."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from inexact.core.files import write_text
from inexact.report._asset import asset
from inexact.report._fault_map import heat_map
from inexact.report._values import fixed, head, table, with_interval

MEANING = (
    "SDC-1: the class differs from the fault-free one. SDC-5: the fault-free class is not among the five of highest score. Critical: a "
    "right answer becomes wrong."
)

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
<p>$meaning Intervals: $confidence % confidence; $images test images, $top1 % of them right without a fault.</p>
$rates
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
    body = "".join(f"<tr><th scope=row>{escape(found['fault'])}</th>{cells(found)}</tr>" for found in report["faults"])
    return _PAGE.substitute(
        style=asset("style.css"),
        about=about,
        meaning=MEANING,
        confidence=f"{100 * settings['confidence']:g}",
        images=report["images"],
        top1=f"{report['top1']:.2f}",
        rates=table(head("fault", *HEADS), body, "Rates"),
        maps=maps,
    )


HEADS = ("#faults run", "#SDC-1, %", "#SDC-5, %", "#critical, %", "#accuracy drop, points")
"""Columns of `cells`."""


def cells(found: Mapping[str, Any]) -> str:
    """Cells of a table's row: how many faults were run, and the rates of one kind with their intervals."""
    rates = "".join(
        f"<td class=n>{with_interval(found[name]['value'], found[name]['ci'])}</td>" for name in ("sdc1", "sdc5", "critical", "drop")
    )
    return f"<td class=n>{fixed(found['n'], 0)}</td>{rates}"
