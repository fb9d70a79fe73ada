"""`inexact accelerator`: the described machines, one of them in full, and several on a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from inexact.cli import _tables
from inexact.cli._exported import TABLE
from inexact.cli._group import Group
from inexact.cli._network import progress_bar
from inexact.cli._options import JSON
from inexact.cli._plans import plan_of


@click.group(cls=Group)
def accelerator() -> None:
    """Accelerators that networks are costed on: presets, and descriptions in TOML."""


@accelerator.command("list")
@JSON
def list_accelerators(as_json: bool) -> None:
    """The presets: size, clock, peak rate, memories."""

    from inexact import hardware

    machines = [hardware.load(name) for name in hardware.presets()]
    rows: list[dict[str, Any]] = [
        {
            "name": machine.name,
            "description": machine.summary,
            "source": machine.source,
            "node": machine.technology.node,
            "rows": machine.rows,
            "columns": machine.columns,
            "style": machine.style,
            "dataflows": list(machine.dataflows),
            "clock_mhz": machine.numbers["array.clock_mhz"].value,
            "peak_gmacs_8bit": machine.peak_gmacs(8),
            "on_chip_kib": sum(memory.bits for memory in machine.memories.values()) / 8192,
            "dram_gb_s": machine.numbers["dram.bandwidth_gb_s"].value,
        }
        for machine in machines
    ]
    if as_json:
        click.echo(json.dumps({"accelerators": rows}))
        return
    table = _tables.figures("accelerator", "PEs", "style", "node", "clock\nMHz", "peak\nGMAC/s\n8 bit", "chip\nKiB", "DRAM\nGB/s")
    table.padding, table.show_edge = (0, 1, 0, 0), False  # all of it in 80 columns
    for column in table.columns:
        column.no_wrap = True
    for row in rows:
        figures = [f"{row['rows']}x{row['columns']}", str(row["style"]).replace("_", " "), str(row["node"])]
        numbers = [row["clock_mhz"], row["peak_gmacs_8bit"], row["on_chip_kib"], row["dram_gb_s"]]
        table.add_row(str(row["name"]), *figures, *(f"{value:,.0f}" if value >= 1000 else f"{value:.4g}" for value in numbers))
    _tables.console().print(table)
    click.echo("`inexact accelerator show NAME` gives every number with its source; a TOML file of your own serves wherever a name does.")


@accelerator.command("show")
@click.argument("name")
@click.option("--toml", "as_toml", is_flag=True, help="Print the description itself, to start one of your own.")
@JSON
def show_accelerator(name: str, as_toml: bool, as_json: bool) -> None:
    """Every number of one accelerator, a preset or a TOML file, with unit, source and spread."""
    from rich.markup import escape

    from inexact import hardware

    machine = hardware.load(name)
    if as_toml:
        click.echo(hardware.presets().get(name, Path(name)).read_text(encoding="utf-8"), nl=False)
        return
    constants = machine.constants()
    if as_json:
        found = {
            "name": machine.name,
            "description": machine.summary,
            "source": machine.source,
            "dataflows": list(machine.dataflows),
            "words": machine.words,
            "memories": {memory.name: list(memory.holds) for memory in machine.memories.values()},
            "constants": {key: estimate.to_json() for key, estimate in constants.items()},
        }
        click.echo(json.dumps(found))
        return
    console = _tables.console()
    console.print(f"[bold]{escape(machine.name)}[/bold]: {escape(machine.summary)}")
    console.print(escape(machine.source))
    console.print(f"dataflows: {', '.join(flow.replace('_', ' ') for flow in machine.dataflows)}")
    for memory in machine.memories.values():
        console.print(f"memory {memory.name}: {memory.bits / 8192:g} KiB in {memory.banks} banks, holds {', '.join(memory.holds)}")
    table, cells = _tables.figures("number", "value", "spread", "unit", "source"), _tables.Cells()
    for key, estimate in constants.items():
        table.add_row(key, *cells(estimate.to_json(), digits=6))
    console.print(table)
    for note in cells.notes():
        console.print(escape(note))


@accelerator.command("compare")
@click.argument("names", nargs=-1, required=True)
@click.option("--network", required=True, help="Network of the zoo, module:function, or an ONNX file.")
@click.option("--data", default="fashion-mnist", show_default=True, help="Data set whose images the network takes.")
@click.option("--input-shape", help="Of one input without the batch, as 3,224,224, in place of --data.")
@click.option("--plan", help="Plan (TOML) or spec of a multiplier: also what it saves on each.")
@TABLE
@JSON
def compare_accelerators(
    names: tuple[str, ...], network: str, data: str, input_shape: str | None, plan: str | None, table: Path | None, as_json: bool
) -> None:
    """One network on several accelerators, exact 8 bit: time, energy, area, and how much of it multipliers are."""
    from inexact import hardware
    from inexact.cli._estimate import compared, export_compared, show_compared, workload_from

    machines = [hardware.load(name) for name in names]
    exact = workload_from(network, data, input_shape)
    chosen = None if plan is None else plan_of(plan)
    with progress_bar() as bar:
        rows = [compared(machine, exact, chosen) for machine in bar.track(machines, description="searching mappings")]
    export_compared(rows, table)
    if as_json:
        click.echo(json.dumps({"network": network, "accelerators": rows}))
        return
    show_compared(rows)
