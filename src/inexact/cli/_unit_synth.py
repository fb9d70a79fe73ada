"""`inexact unit synth`: units through synthesis, timing and power, and the table of what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from inexact.circuits.cells import library
from inexact.circuits.synthesis import (
    RECIPES,
    Setup,
    Silicon,
    mapped_verilog,
    netlist,
    pareto,
    ratios,
    synthesise,
    synthesise_serial,
)
from inexact.cli import _tables
from inexact.cli._network import progress_bar
from inexact.cli._operands import operands_of
from inexact.cli._unit_subject import Subject, circuit_of, subject_of
from inexact.core.errors import SpecError
from inexact.core.files import write_text
from inexact.units import FloatMultiplier, Multiplier, adders

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
    subjects = [subject_of(spec, serial=setup.level == "serial") for spec in specs]
    if adder is not None:
        setup = replace(setup, adder=circuit_of(adders.get(adder)))
    if setup.level != "unit" and any(not isinstance(subject.unit, (Multiplier, FloatMultiplier)) for subject in subjects):
        raise SpecError("a MAC is made around a multiplier; leave --level away to synthesise an adder or a function alone")
    recipes = [name for name in RECIPES if name != "unoptimised"] if recipe == ALL else [recipe]
    if (layer or histograms) and len({(subject.unit.width, subject.unit.signed) for subject in subjects}) > 1:
        raise SpecError("operand histograms hold for one width and sign; give units of another one in a command of their own")
    weighted = operands_of(subjects[0].unit, layer, data, coding, histograms)
    if weighted is not None:
        counts = tuple(tuple(float(x) for x in counts) for counts in (weighted.a, weighted.b))
        setup = replace(setup, operands=replace(setup.operands, name=weighted.source, weights=counts))
    by_recipe = _by_recipe(subjects, setup, recipes, jobs)
    rows: list[dict[str, Any]] = []
    for subject in subjects:
        kept = pareto([found[_own(subject)] for found in by_recipe])
        for found in by_recipe:
            record, exact = found[_own(subject)], None if subject.exact is None else found[subject.exact.sha256]
            if record in kept:
                row = {"spec": subject.spec, "silicon": record, "form": subject.form, "exact": exact}
                rows.append(row | {"ratios": {} if exact is None else ratios(record, exact)})
    return rows


def _by_recipe(subjects: Sequence[Subject], setup: Setup, recipes: Sequence[str | None], jobs: int | None) -> list[dict[str, Silicon]]:
    """Figures by netlist, one dictionary a recipe. A clocked unit is set against the exact one without registers."""
    plain = replace(setup, level="unit") if setup.level == "serial" else setup
    wanted = [circuit for subject in subjects for circuit in (subject.exact, None if subject.serial else subject.circuit)]
    distinct = {circuit.sha256: circuit for circuit in wanted if circuit is not None}
    clocked = {_own(subject): subject.serial for subject in subjects if subject.serial is not None}
    found: list[dict[str, Silicon]] = []
    with progress_bar() as bar:
        total = len(distinct) + len(clocked)
        task = bar.add_task("synthesis", total=total * len(recipes))
        for place, name in enumerate(recipes):

            def done(count: int, before: int = place * total) -> None:
                bar.update(task, completed=before + count)

            records = synthesise(list(distinct.values()), replace(plain, recipe=name), jobs=jobs, progress=done)
            of_many = [synthesise_serial(serial, replace(setup, recipe=name)) for serial in clocked.values()]
            done(total)
            found.append(dict(zip(distinct, records, strict=True)) | dict(zip(clocked, of_many, strict=True)))
    return found


def _own(subject: Subject) -> str:
    """What a subject's figures are kept by: its netlist, and how often that works."""
    return subject.circuit.sha256 if subject.serial is None else f"{subject.circuit.sha256} {subject.serial.start} {subject.serial.cycles}"


def as_json(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The rows as one JSON object."""
    return {
        "units": [
            {
                "spec": row["spec"],
                "netlist": row["form"] or None,
                "silicon": row["silicon"].to_json(),
                "relative_to": None if row["exact"] is None else row["exact"].name,
                "relative": row["ratios"] or None,
            }
            for row in rows
        ]
    }


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """A unit a row, relative figures in brackets."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("unit", overflow="fold")
    several = len({row["silicon"].conditions.recipe for row in rows}) > 1
    if several:
        table.add_column("recipe")
    for head in QUANTITIES.values():
        table.add_column(head, justify="right")
    for row in rows:
        figures = row["silicon"].figures()
        ratio = {name: f" ({value:.2f})" for name, value in row["ratios"].items()}
        shown = [f"{figures[name].value:.4g}{ratio.get(name, '')}" for name in QUANTITIES]
        table.add_row(escape(_tables.called(row["spec"])), *([row["silicon"].conditions.recipe] if several else []), *shown)
    return table


def show(rows: Sequence[dict[str, Any]], table: Table) -> None:
    """Print the table, and what its figures hold under."""
    console = _tables.console()
    console.print(table)
    console.print(escape(conditions_of(rows)))


def conditions_of(rows: Sequence[dict[str, Any]]) -> str:
    """What the figures hold under, a line each."""
    brackets = "In brackets: relative to the exact unit of the same width and sign, or number format."
    lines = [f"{brackets} Energy per operation, with glitches; settled: without."]
    lines += [f"{_tables.called(row['spec'])}: {row['form']}." for row in rows if row["form"]]
    return "\n".join([*lines, *dict.fromkeys(_conditions(row["silicon"]) for row in rows)])


def write_netlist(spec: str, setup: Setup, path: Path) -> None:
    """The mapped netlist as structural Verilog."""
    write_text(
        path,
        mapped_verilog(
            netlist(
                subject_of(spec, serial=setup.level == "serial").circuit, replace(setup, level="unit") if setup.level == "serial" else setup
            )
        ),
    )


def cells_of(liberty: Path | None) -> Any:
    """The library asked for, or the shipped one."""
    return library(str(liberty) if liberty is not None else None)


def _conditions(record: Silicon) -> str:
    energy = record.energy
    spread = f" Energy is +-{(energy.spread[1] - energy.value) / energy.value:.1%} (95 %)." if energy.spread and energy.value else ""
    return f"{record.level}: {record.conditions}.{spread}"
