"""How `inexact unit` prints: tables for people, and the Markdown table of the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inexact.cli import _tables
from inexact.cli._exported import write_table
from inexact.units.catalogue import conditions

COLUMNS = ("spec", "energy", "MAE", "bias", "std", "MRED %", "WCE", "zero", "EP", "rank E")
NARROW = 8
"""Columns shown in a terminal; the Markdown table has them all."""

NAMED = ("sha256", "known_as", "same_table_as", "engine", "engine_why", "reference")
"""Facts that stand above a passport's tables."""

LEGEND = (
    "Uniform operands, all pairs; error = approx - exact. MAE, bias, std, WCE in output units; MRED over pairs with exact != 0;\n"
    "zero: what a zero operand gives; energy relative to the exact 8x8 multiplier, gate-count model (not silicon)."
)
SILICON_LEGEND = LEGEND.replace("multiplier, gate-count model (not silicon)", "multiplier of the same sign, from the synthesised netlist")


def cells(row: dict[str, Any]) -> list[str]:
    """One line of the tables."""
    m = row["metrics"]
    energy = row["relative_cost"]
    return [
        _tables.called(row["spec"]),
        f"{energy['energy']['value']:.3f}" if energy else "-",
        f"{m['mae']:.4g}",
        f"{m['mean_error']:.4g}",
        f"{m['error_variance'] ** 0.5:.4g}",
        f"{m['mred'] * 100:.3g}",
        str(m["wce"]),
        "exact" if m["zero_exact"] else "wrong",
        f"{m['error_probability']:.4f}",
        str(m.get("error_rank", "-")),
    ]


def markdown() -> str:
    """Samples of every technique as a Markdown table."""
    from inexact.cli._unit_facts import catalogue, summary

    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" + "---:|" * (len(COLUMNS) - 1)]
    lines += ["| `" + row[0] + "` | " + " | ".join(row[1:]) + " |" for row in (cells(summary(unit)) for unit in catalogue())]
    return "\n".join(lines)


def list_table(shown: list[dict[str, Any]], total: int, *, file: Path | None = None) -> None:
    """Print units, a line each, and how many of `total` are not shown; into a file too."""
    table = _table("units")
    for row in shown:
        table.add_row(*map(escape, cells(row)[:NARROW]))
    held = conditions()
    legend = SILICON_LEGEND if held else LEGEND
    text = f"Silicon: {', '.join(held[name] for name in ('library', 'corner', 'recipe', 'tool', 'operands'))}." if held else ""
    write_table(table, file, note=f"{legend}\n{text}".strip())
    _print(table, legend)
    if held:
        _tables.console().print(escape(text), style="dim")
    if len(shown) < total:
        _tables.console().print(f"{total - len(shown)} more of {total}: --limit 0 shows all, --where chooses.", style="dim")


def comparison_table(rows: list[dict[str, Any]]) -> None:
    """Print units side by side."""
    table = _table("units, cheapest first; * = none of the same width and coding is as good in energy, MAE, |bias|")
    for row in rows:
        found = list(map(escape, cells(row)[:NARROW]))
        table.add_row(f"{found[0]} *" if row["front"] else found[0], *found[1:])
    _print(table, _legend(rows))
    wide = [row["spec"] for row in rows if row["sha256"] is None]
    if wide:
        _tables.console().print(f"Too wide for a table, from a million drawn pairs (WCE: the largest drawn): {escape(', '.join(wide))}.")


def export_comparison(rows: list[dict[str, Any]], file: Path | None) -> None:
    """Write the comparison, with a column of its own for what is unbeaten; nothing without a file."""
    table = _table("")
    table.add_column("unbeaten")
    for row in rows:
        table.add_row(*map(escape, cells(row)[:NARROW]), "yes" if row["front"] else "no")
    note = "Unbeaten: none of the same width and coding is as good in energy, MAE, |bias|."
    write_table(table, file, note=f"{_legend(rows)}\n{note}")


def _legend(rows: list[dict[str, Any]]) -> str:
    measured = all((row["cost"]["energy_pj"] or {"verified": True})["verified"] for row in rows)
    return SILICON_LEGEND if measured else LEGEND


def show_text(found: dict[str, Any]) -> None:
    """Print one passport."""
    console = _tables.console()
    coding = "signed" if found["signed"] else "unsigned"
    console.print(
        f"[bold]{escape(found['spec'])}[/bold]  {found['kind']}, {found['width'][0]}x{found['width'][1]} {coding}", highlight=False
    )
    same = ", ".join(found.get("same_table_as", ()))
    for name, text in {**found, "same_table_as": same}.items():
        if name in NAMED and text:
            console.print(f"{name}: {escape(str(text))}", highlight=False, soft_wrap=True)
    for contradiction in found.get("contradictions", ()):
        console.print(f"[bold]contradiction:[/bold] {escape(contradiction)}", highlight=False, soft_wrap=True)
    console.print(_metric_table(found))
    if found.get("correction"):
        console.print(_correction_table(found["correction"]))
    show_silicon(console, found)


def show_silicon(console: Console, found: dict[str, Any]) -> None:
    """The one table of what a unit costs: silicon of its own netlist, or what the gate-count model says where there is none."""
    silicon = found["silicon"]
    shown: dict[str, dict[str, Any] | None] = silicon or found.get("cost", {})
    if not any(shown.values()):
        console.print("silicon: no figures; `inexact unit synth` makes them of any unit with a netlist", highlight=False)
        return
    title = f"silicon of {'its own netlist' if found['silicon_of'] == 'the unit' else found['silicon_of']}, {found['silicon_origin']}"
    table = Table("silicon" if silicon else "cost", "value", "95 % interval" if silicon else "range", title_justify="left")
    table.title = title if silicon else "no silicon figures: cost by the gate-count model, unverified"
    sources: dict[str, list[str]] = {}
    for name, estimate in shown.items():
        if estimate is not None:
            spread = estimate["spread"]
            table.add_row(name, f"{estimate['value']:.4g} {estimate['unit']}", f"{spread[0]:.4g} .. {spread[1]:.4g}" if spread else "")
            sources.setdefault(estimate["source"], []).append(name)
    console.print(table)
    for source, names in sources.items():
        head = f"{', '.join(names)}: " if len(sources) > 1 else ""
        console.print(f"{head}{source}", highlight=False, soft_wrap=True, markup=False)


def _metric_table(found: dict[str, Any]) -> Table:
    from inexact.metrics.passport import CONVENTIONS

    intervals = found.get("intervals", {})
    heads = ("metric", "value", *(("95 % interval",) if intervals else ()), "meaning")
    title = f"error metrics, {escape(found['operands'])}; error = approx - exact"
    table = Table(*heads, title=title, title_justify="left")
    for name, value in found["metrics"].items():
        shown = ("yes" if value else "no") if isinstance(value, bool) else f"{value:.6g}"
        low_high = (" .. ".join(f"{end:.6g}" for end in intervals[name]) if name in intervals else "",) if intervals else ()
        table.add_row(name, shown, *low_high, CONVENTIONS[name])
    return table


def _correction_table(correction: dict[str, float]) -> Table:
    from inexact.metrics.anova import ANOVA_CONVENTIONS

    title = "error of one product, split as mu + g(b) + f(a) + h(a, b), output units"
    table = Table("part", "value", "meaning", title=title, title_justify="left")
    for name, value in correction.items():
        table.add_row(name, f"{value:.6g}", ANOVA_CONVENTIONS[name])
    return table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for number, name in enumerate(COLUMNS[:NARROW]):
        table.add_column(name, justify="right" if number else "left", overflow="fold", no_wrap=bool(number))
    return table


def _print(table: Table, legend: str = LEGEND) -> None:
    console = _tables.console()
    console.print(table)
    console.print(legend, highlight=False)
