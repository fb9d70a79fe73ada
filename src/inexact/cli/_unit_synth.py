"""`inexact unit synth`: units through synthesis, timing and power, and the table of what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inexact.circuits import Circuit
from inexact.circuits.cells import library
from inexact.circuits.synthesis import RECIPES, Operands, Setup, Silicon, mapped_verilog, netlist, pareto, ratios, synthesise
from inexact.cli._network import progress_bar
from inexact.cli._operands import operands_of
from inexact.cli._unit_facts import resolve
from inexact.core.errors import SpecError
from inexact.core.files import write_text
from inexact.units import Adder, Multiplier, adders
from inexact.units.exact import Exact
from inexact.units.exact_adder import ExactAdder

ALL = "all"
"""Every recipe that optimises; of each unit those that no other beats are shown."""

QUANTITIES = {
    "area_um2": "area um2",
    "delay_ns": "delay ns",
    "energy_pj": "energy pJ",
    "settled_energy_pj": "settled pJ",
    "leakage_nw": "leakage nW",
}
"""Heads of the table's columns."""


def circuit_of(unit: Multiplier | Adder) -> Circuit:
    """The unit's netlist. SpecError when it has none."""
    found = unit.circuit()
    if found is None:
        raise SpecError(f"{unit.spec} has no netlist: only circuits can be synthesised; import one with `inexact unit import FILE.v`")
    return found


def reference_of(unit: Multiplier | Adder) -> Multiplier | Adder:
    """The exact unit of the same kind, width and signedness."""
    if isinstance(unit, Adder):
        return ExactAdder(width=unit.width)
    return Exact(width=unit.width, signed=unit.signed)


def synthesised(
    specs: Sequence[str],
    setup: Setup,
    *,
    recipe: str | None,
    layer: str | None,
    data: str,
    coding: str | None,
    histograms: Path | None,
    adder: str | None,
    jobs: int | None,
) -> list[dict[str, Any]]:
    """Rows, in the order of specs: spec, Silicon and its ratios to the exact unit under the same conditions."""
    units = [resolve(spec) for spec in specs]
    if adder is not None:
        setup = replace(setup, adder=circuit_of(adders.get(adder)))
    if setup.level != "unit" and any(isinstance(unit, Adder) for unit in units):
        raise SpecError("a MAC is made around a multiplier; leave --level away to synthesise an adder alone")
    recipes = [name for name in RECIPES if name != "unoptimised"] if recipe == ALL else [recipe]
    if (layer or histograms) and len({(unit.width, unit.signed) for unit in units}) > 1:
        raise SpecError("operand histograms hold for one width and sign; give units of another one in a command of their own")
    weighted = operands_of(units[0], layer, data, coding, histograms)
    if weighted is not None:
        counts = tuple(tuple(float(x) for x in counts) for counts in (weighted.a, weighted.b))
        setup = replace(setup, operands=Operands(name=weighted.source, weights=counts, pairs=setup.operands.pairs))
    wanted = [unit for pair in ((reference_of(unit), unit) for unit in units) for unit in pair]
    distinct = {unit.spec: circuit_of(unit) for unit in wanted}
    with progress_bar() as bar:
        task = bar.add_task("synthesis", total=len(distinct) * len(recipes))
        by_recipe = []
        for place, name in enumerate(recipes):
            done = place * len(distinct)
            records = synthesise(
                list(distinct.values()),
                replace(setup, recipe=name),
                jobs=jobs,
                progress=lambda count, done=done: bar.update(task, completed=done + count),  # type: ignore[misc]
            )
            by_recipe.append(dict(zip(distinct, records, strict=True)))
    rows: list[dict[str, Any]] = []
    for unit in units:
        kept = pareto([found[unit.spec] for found in by_recipe])
        for found in by_recipe:
            if found[unit.spec] in kept:
                rows.append({"spec": unit.spec, "silicon": found[unit.spec], "exact": found[reference_of(unit).spec]})
    return [row | {"ratios": ratios(row["silicon"], row["exact"])} for row in rows]


def as_json(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The rows as one JSON object."""
    return {
        "units": [
            {"spec": row["spec"], "silicon": row["silicon"].to_json(), "relative_to": row["exact"].name, "relative": row["ratios"]}
            for row in rows
        ]
    }


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print the table, and what its figures hold under."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("unit", overflow="fold")
    several = len({row["silicon"].conditions.recipe for row in rows}) > 1
    if several:
        table.add_column("recipe")
    for head in QUANTITIES.values():
        table.add_column(head, justify="right")
    for row in rows:
        figures = row["silicon"].figures()
        shown = [f"{figures[name].value:.4g} ({row['ratios'][name]:.2f})" for name in QUANTITIES]
        table.add_row(escape(row["spec"]), *([row["silicon"].conditions.recipe] if several else []), *shown)
    console = Console(width=None, highlight=False)
    console.print(table)
    console.print(
        "In brackets: relative to the exact unit of the same width and sign. Energy per operation, with glitches; settled: without."
    )
    for text in dict.fromkeys(_conditions(row["silicon"]) for row in rows):
        console.print(escape(text))


def write_netlist(spec: str, setup: Setup, path: Path) -> None:
    """The mapped netlist as structural Verilog."""
    write_text(path, mapped_verilog(netlist(circuit_of(resolve(spec)), setup)))


def cells_of(liberty: Path | None) -> Any:
    """The library asked for, or the shipped one."""
    return library(str(liberty) if liberty is not None else None)


def _conditions(record: Silicon) -> str:
    energy = record.energy
    spread = f" Energy is +-{(energy.spread[1] - energy.value) / energy.value:.1%} (95 %)." if energy.spread and energy.value else ""
    return f"{record.level}: {record.conditions}.{spread}"
