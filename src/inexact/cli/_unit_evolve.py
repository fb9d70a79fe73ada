"""`inexact unit evolve`: a front of circuits bred for a goal, written as netlists with a table of what they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from inexact.circuits import to_blif, to_verilog
from inexact.circuits.cells import library
from inexact.circuits.evolution import Costs, Evolved, Goal, Settings, evolve
from inexact.cli import _tables
from inexact.cli._operands import operands_of
from inexact.cli._unit_subject import circuit_of, resolve
from inexact.core.errors import SpecError
from inexact.core.files import ensure_folder, write_text
from inexact.metrics import profile
from inexact.units import Adder, from_circuit

FILE = "front.csv"
CHECKPOINT = "evolution.json"
FIGURES = ("mae", "mse", "wce", "mred", "error_probability", "mean_error", "zero_exact")
"""Metrics of the table beside that of the goal; uniform operands."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command was asked for. targets: as written; layer, data, coding, histograms: as of `unit show`."""

    seed_spec: str
    metric: str
    targets: str
    zero_exact: bool
    wce: int | None
    bias: float | None
    generations: int
    islands: int
    seed: int
    out: Path
    liberty: Path | None
    layer: str | None
    data: str
    coding: str | None
    histograms: Path | None


def evolved(asked: Asked) -> list[dict[str, Any]]:
    """Run the search and write `front.csv` and every circuit as Verilog and BLIF. Rows by target: spec, metrics, cost, file.

    A folder that holds a checkpoint of the same search is gone on with. Raises what `evolve` raises.
    """
    unit = resolve(asked.seed_spec)
    circuit = circuit_of(unit)
    weighted = operands_of(unit, asked.layer, asked.data, asked.coding, asked.histograms)
    if weighted is not None and asked.metric in ("mae", "mse", "error_probability", "wce"):
        raise SpecError(
            f"{asked.metric} is over uniform operands; with --layer or --histograms choose weighted_mae, weighted_mse, rms_folded …"
        )
    sides = (None, None) if weighted is None else tuple(tuple(float(x) for x in side) for side in (weighted.a, weighted.b))
    goal = Goal(metric=asked.metric, weight_a=sides[0], weight_b=sides[1], zero_exact=asked.zero_exact, wce=asked.wce, bias=asked.bias)
    settings = Settings(
        generations=asked.generations, islands=asked.islands, operation="sum" if isinstance(unit, Adder) else "product", seed=asked.seed
    )
    folder = ensure_folder(asked.out)
    costs = Costs.of(library(str(asked.liberty) if asked.liberty else None))
    with _bar() as bar:
        task = bar.add_task("evolution", total=None)
        found = evolve(
            circuit,
            goal,
            ladder(asked.targets),
            costs,
            settings,
            checkpoint=folder / CHECKPOINT,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    rows = [_written(one, folder, asked.metric, isinstance(unit, Adder)) for one in found]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / FILE, table.getvalue())
    return rows


def ladder(text: str) -> list[float]:
    """`1,5,20` as written, or `1:1000:12`, a geometric ladder of twelve. SpecError otherwise."""
    try:
        if ":" in text:
            first, last, count = text.split(":")
            return [float(f"{x:.4g}") for x in np.geomspace(float(first), float(last), int(count))]
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise SpecError(f"--targets must be numbers such as 1,5,20 or FIRST:LAST:COUNT such as 1:1000:12, not {text!r}") from error


def _written(one: Evolved, folder: Path, metric: str, adder: bool) -> dict[str, Any]:
    name = f"{metric}_{one.target:g}".replace(".", "p").replace("+", "").replace("-", "m")
    circuit = one.circuit.renamed(f"evolved_{name}")
    write_text(folder / f"{name}.v", to_verilog(circuit))
    write_text(folder / f"{name}.blif", to_blif(circuit))
    row = {"name": name, "target": one.target, "goal": f"{metric} = {one.metric:.6g}", "cells_um2": round(one.cost, 3)}
    if adder:
        return row | {"spec": ""}
    unit = from_circuit(circuit)
    metrics = profile(unit).metrics()
    signed = ",signed=true" if circuit.signed else ""
    width = ",".join(str(bus.width) for bus in circuit.inputs)
    wide = "" if width == "8,8" else f",width=({width})"
    spec = f"netlist(path='{folder / name}.blif'{signed}{wide})"
    return row | {figure: metrics[figure] for figure in FIGURES} | {"sha256": unit.sha256, "spec": spec}


def show(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Print the front."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    heads = ("name", "goal", "cells_um2", *(name for name in ("mae", "wce", "mean_error", "zero_exact") if name in rows[0]))
    for head in heads:
        table.add_column(head, justify="left" if head in {"name", "goal"} else "right")
    for row in rows:
        table.add_row(*(f"{row[head]:.5g}" if isinstance(row[head], float) else str(row[head]) for head in heads))
    console = _tables.console()
    console.print(table)
    console.print(
        f"cells_um2: sum of cell areas before synthesis; `inexact unit synth` tells the rest. Written to {folder}: {FILE}, .v, .blif"
    )


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
