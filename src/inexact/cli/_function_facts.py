"""What `inexact unit` tells of a non-linear unit, as plain data and as tables."""

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
from inexact.metrics import function_profile
from inexact.metrics.functions import FUNCTION_CONVENTIONS
from inexact.units import Function, functions

COLUMNS = ("spec", "function", "max error", "max ulp", "MAE", "bias", "max relative %")


def catalogue() -> list[Function]:
    """Samples of every non-linear technique."""
    return [member for _, cls in functions.items() for member in cls.samples()]


def summary(unit: Function, seed: int = 0) -> dict[str, Any]:
    """One entry of `unit list --json` under `functions`."""
    return {
        "spec": unit.spec,
        "kind": "function",
        "function": unit.target,
        "width": unit.width,
        "fraction": unit.fraction,
        "out_width": unit.out_width,
        "out_fraction": unit.out_fraction,
        "signed": unit.signed,
        "out_signed": unit.out_signed,
        "sha256": unit.sha256,
        "metrics": function_profile(unit, seed=seed).metrics(),
    } | stated(unit)


def passport(unit: Function, *, seed: int = 0) -> dict[str, Any]:
    """The object of `unit show --json`. seed: of the rows drawn of softmax."""
    return summary(unit, seed) | silicon_facts(held(unit))


def markdown() -> str:
    """The catalogue as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|" + "---:|" * (len(COLUMNS) - 2)]
    lines += ["| `" + row[0] + "` | " + " | ".join(row[1:]) + " |" for row in map(_cells, map(summary, catalogue()))]
    return "\n".join(lines)


def list_table() -> None:
    """Print the catalogue."""
    table = Table(title="non-linear units", title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for number, name in enumerate(("spec", *COLUMNS[2:6], *SILICON)):
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=bool(number))
    for unit in catalogue():
        spec, _, *numbers = _cells(summary(unit))
        table.add_row(*map(escape, (spec, *numbers[:4], *silicon_cells(unit.spec))))
    _tables.console().print(table)
    _tables.console().print(SILICON_NOTE, style="dim")


def show_text(found: dict[str, Any]) -> None:
    """Print one unit."""
    console = _tables.console()
    coding = [
        f"{found[f'{side}width']} bits, {found[f'{side}fraction']} of them fraction, {'signed' if found[f'{side}signed'] else 'unsigned'}"
        for side in ("", "out_")
    ]
    console.print(f"[bold]{escape(found['spec'])}[/bold]  {found['function']}; argument {coding[0]}; result {coding[1]}", highlight=False)
    for name in ("sha256", "reference"):
        if found[name]:
            console.print(f"{name}: {escape(str(found[name]))}", highlight=False, soft_wrap=True)
    metrics = Table("figure", "value", "meaning", title="error against the real function", title_justify="left")
    for name, value in found["metrics"].items():
        metrics.add_row(name, f"{value:.6g}", FUNCTION_CONVENTIONS[name])
    console.print(metrics)
    show_silicon(console, found)


def _cells(row: dict[str, Any]) -> list[str]:
    m = row["metrics"]
    numbers = (m["max_error"], m["max_ulp"], m["mae"], m["mean_error"], 100 * m["max_relative"])
    return [row["spec"], row["function"], *(f"{number:.3g}" for number in numbers)]
