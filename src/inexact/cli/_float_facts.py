"""What `inexact unit` tells of a small-float multiplier, as plain data and as tables."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from inexact.cli import _tables
from inexact.cli._unit_catalogue import SILICON, SILICON_NOTE, silicon_cells
from inexact.cli._unit_facts import silicon_facts, stated
from inexact.cli._unit_silicon import held
from inexact.cli._unit_text import show_silicon
from inexact.metrics import float_profile
from inexact.metrics.floats import FLOAT_CONVENTIONS
from inexact.units import FloatMultiplier, float_multipliers

COLUMNS = ("spec", "MRED %", "relative bias %", "relative std %", "WCRE %", "EP")

SHOWN = (0, 1, 2, 4)
"""Columns shown in a terminal, beside silicon; the Markdown table has them all."""


def catalogue() -> list[FloatMultiplier]:
    """Samples of every small-float technique."""
    return [member for _, cls in float_multipliers.items() for member in cls.samples()]


def summary(unit: FloatMultiplier, seed: int = 0) -> dict[str, Any]:
    """One entry of `unit list --floats --json`."""
    layout = unit.layout
    return {
        "spec": unit.spec,
        "kind": "float_multiplier",
        "format": {"name": unit.format, "width": layout.width, "fields": layout.fields},
        "sha256": unit.sha256,
        "metrics": float_profile(unit, seed=seed).metrics(),
        "reference": stated(unit)["reference"],
    }


def passport(unit: FloatMultiplier, *, seed: int = 0) -> dict[str, Any]:
    """The object of `unit show --json`. seed: of the pairs drawn of wide formats."""
    return summary(unit, seed) | silicon_facts(held(unit))


def markdown() -> str:
    """The catalogue as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    lines += ["| `" + row[0] + "` | " + " | ".join(row[1:]) + " |" for row in map(_cells, map(summary, catalogue()))]
    return "\n".join(lines)


def list_table() -> None:
    """Print the catalogue."""
    table = Table(title="small-float multipliers, codes uniform", title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for number, name in enumerate((*(COLUMNS[place] for place in SHOWN), *SILICON)):
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=bool(number))
    for unit in catalogue():
        cells = _cells(summary(unit))
        table.add_row(*map(escape, (*(cells[place] for place in SHOWN), *silicon_cells(unit.spec))))
    _tables.console().print(table)
    _tables.console().print(SILICON_NOTE, style="dim")


def show_text(found: dict[str, Any]) -> None:
    """Print one unit."""
    console, layout = _tables.console(), found["format"]
    console.print(f"[bold]{escape(found['spec'])}[/bold]  small-float multiplier, {layout['name']}: {layout['fields']}", highlight=False)
    for name in ("sha256", "reference"):
        if found[name]:
            console.print(f"{name}: {escape(str(found[name]))}", highlight=False, soft_wrap=True)
    metrics = Table("metric", "value", "meaning", title="relative error, codes uniform", title_justify="left")
    for name, value in found["metrics"].items():
        metrics.add_row(name, ("yes" if value else "no") if isinstance(value, bool) else f"{value:.6g}", FLOAT_CONVENTIONS[name])
    console.print(metrics)
    show_silicon(console, found)


def _cells(row: dict[str, Any]) -> list[str]:
    m = row["metrics"]
    shares = (100 * m[name] for name in ("mred", "relative_bias", "relative_std", "wcre"))
    return [row["spec"], *(f"{share:.3g}" for share in shares), f"{m['error_probability']:.4f}"]
