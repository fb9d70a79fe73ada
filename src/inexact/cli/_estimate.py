"""`inexact net estimate`: the account of a network on an accelerator, as tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inexact.cli import _tables
from inexact.cli._exported import write_table
from inexact.core.errors import DataError

if TYPE_CHECKING:
    from inexact.core.workload import Workload
    from inexact.hardware import Accelerator, Cost

TITLES = {"multiplier": "multipliers only", "array": "PE array", "on_chip": "chip", "with_dram": "chip and DRAM"}


def shape_of(text: str | None) -> tuple[int, ...] | None:
    """`3,224,224` as numbers. Raises DataError."""
    if text is None:
        return None
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise DataError(f"an input shape must be positive whole numbers with commas between them, as 3,224,224, not {text!r}")
    return sizes


def with_operands(machine: Accelerator, operands: str) -> Accelerator:
    """The machine charged under uniform operands, or those of trained networks."""
    return dataclasses.replace(machine, words=machine.words | {"pe.operands": "uniform" if operands == "uniform" else "network"})


def account(
    machine: Accelerator, exact: Workload, planned: Workload, *, baseline: Workload | None = None, points: bool, carbon: float | None
) -> dict[str, Any]:
    """The JSON object: cost of the planned design against `baseline`, by default the leanest exact 8-bit one."""
    from inexact import hardware

    if baseline is None:
        baseline = hardware.leanest_baseline(machine, exact)
    cost, reference = machine.evaluate(planned), machine.evaluate(baseline)
    found = cost.to_json(baseline=reference)
    found["baseline"] = {
        "coding": baseline.multiplying[0].arithmetic.coding,
        "energy_pj": reference.energy_pj.total.to_json(),
        "area_um2": reference.area_um2.total.to_json(),
    }
    found["area_saving"] = hardware.area_saving(cost, reference).to_json()
    found["energy_delay_product"] = cost.energy_delay_product.to_json()
    found["tops_per_watt"] = cost.tops_per_watt.to_json()
    found["energy_by_layer_and_component"] = {
        layer.name: {name: triple[0] for name, triple in layer.energy.items() if triple[0]} for layer in cost.layers
    }
    if points:
        found["operating_points"] = _points(machine, planned, baseline, reference)
    if carbon is not None:
        found["embodied_carbon"] = hardware.embodied_carbon(cost, intensity=carbon).to_json()
    return found


def _points(machine: Accelerator, planned: Workload, baseline: Workload, reference: Cost) -> list[dict[str, Any]]:
    from inexact import hardware

    return [
        {
            "name": point.name,
            "clock_mhz": point.clock_mhz,
            "voltage_v": point.voltage_v,
            "latency_ms": point.cost.latency_ms.to_json(),
            "energy_pj": point.cost.energy_pj.total.to_json(),
            "savings": {name: saving.to_json() for name, saving in hardware.savings(point.cost, reference).items()},
        }
        for point in hardware.operating_points(machine, planned, baseline).values()
    ]


def show(found: Mapping[str, Any], *, layers: bool) -> None:
    """Print the account."""
    console, cells = _tables.console(), _tables.Cells()
    console.print(_figures(found, cells))
    _show_savings(console, found, cells)
    if "operating_points" in found:
        _show_points(console, found["operating_points"])
    if layers:
        _show_layers(console, found)
    for note in cells.notes():
        console.print(escape(note))


def export(found: Mapping[str, Any], file: Path | None) -> None:
    """Write the figures; sources below the table, in .csv beside each."""
    if file is not None:
        cells = _tables.Cells(whole=file.suffix.lower() == ".csv")
        table = _figures(found, cells, ("energy: ", "area: "))
        write_table(table, file, note="\n".join(cells.notes()))


def _figures(found: Mapping[str, Any], cells: _tables.Cells, parts: tuple[str, str] = ("  ", "  ")) -> Table:
    """parts: what stands before the names of parts of the energy and of the area."""
    table = _tables.figures("figure", "value", "spread", "unit", "source")
    for name in ("cycles", "latency_ms"):
        table.add_row(name.removesuffix("_ms"), *cells(found[name]))
    if "worst_latency_ms" in found:
        table.add_row("  without an exit", *cells(found["worst_latency_ms"]))
    table.add_row("energy", *cells(found["energy_pj"]["total"]))
    for name, figure in found["energy_pj"]["by_component"].items():
        if figure["value"]:
            table.add_row(f"{parts[0]}{name.replace('_', ' ')}", *cells(figure))
    table.add_row("energy-delay product", *cells(found["energy_delay_product"]))
    table.add_row("efficiency", *cells(found["tops_per_watt"]))
    table.add_row("area", *cells(found["area_um2"]["total"]))
    for name, figure in found["area_um2"]["by_component"].items():
        if figure["value"]:
            table.add_row(f"{parts[1]}{name.replace('_', ' ')}", *cells(figure))
    if "embodied_carbon" in found:
        table.add_row("embodied carbon", *cells(found["embodied_carbon"]))
    return table


def _show_savings(console: Console, found: Mapping[str, Any], cells: _tables.Cells) -> None:
    console.print(f"Against the exact 8-bit design in its leanest coding ({found['baseline']['coding'].replace('_', ' ')}):")
    table = _tables.figures("boundary", "saved %", "spread", "multipliers alone could save %", "share of multipliers and adders %")
    for name, title in TITLES.items():
        saving, limit = found["savings"][name], found["ceiling"][name]
        share = found["mac_share"].get(name)
        value, spread, *_ = cells(saving, 3)
        table.add_row(title, value, spread, f"{limit['value']:.1f}", f"{share['value']:.1f}" if share else "")
    table.add_row("area", *cells(found["area_saving"], 3)[:2], "", "")
    console.print(table)


def _show_points(console: Console, points: Sequence[Mapping[str, Any]]) -> None:
    table = _tables.figures("operating point", "clock MHz", "array V", "latency ms", "energy uJ", "saved with DRAM %")
    for point in points:
        figures = [point["clock_mhz"], point["voltage_v"], point["latency_ms"]["value"], point["energy_pj"]["value"] / 1e6]
        table.add_row(point["name"], *(f"{value:.4g}" for value in figures), f"{point['savings']['with_dram']['value']:.1f}")
    console.print(table)


def _show_layers(console: Console, found: Mapping[str, Any]) -> None:
    table = _tables.figures("layer", "runs as", "cycles", "stalls", "utilisation %", "energy uJ", "tile", "loops")
    for layer in found["layers"]:
        share = "" if layer["utilisation"] is None else f"{100 * layer['utilisation']:.1f}"
        tile = _tile(layer.get("tile"))
        energy = found["energy_pj"]["by_layer"][layer["name"]]["value"] / 1e6
        row = [layer["name"], layer["dataflow"].replace("_", " "), f"{layer['cycles']:,}", f"{layer['stalls']:,}", share, f"{energy:.4g}"]
        table.add_row(*map(escape, row), tile, " > ".join(layer.get("order", [])))
    console.print(table)


def _tile(tile: Mapping[str, int] | None) -> str:
    """images x rows x columns of outputs, then channels to filters, that the memories hold at a time."""
    if not tile:
        return ""
    pixels = "x".join(str(tile[name]) for name in ("batch", "rows", "columns") if name in tile)
    return f"{pixels}, {tile['channels']} to {tile['filters']}"


def compared(machine: Accelerator, exact: Workload, plan: Any) -> dict[str, Any]:
    """The figures of a machine: the exact 8-bit design, and the plan's savings where there is one."""
    from inexact import hardware, nn

    baseline = hardware.leanest_baseline(machine, exact)
    cost = machine.evaluate(baseline)
    total = cost.energy_pj.total
    row: dict[str, Any] = {
        "accelerator": machine.name,
        "node": machine.technology.node,
        "coding": baseline.multiplying[0].arithmetic.coding,
        "cycles": cost.cycles.to_json(),
        "latency_ms": cost.latency_ms.to_json(),
        "energy_pj": total.to_json(),
        "energy_per_mac": dataclasses.replace(total, value=total.value / cost.macs, spread=None, unit="pJ/MAC").to_json(),
        "area_um2": cost.area_um2.total.to_json(),
        "tops_per_watt": cost.tops_per_watt.to_json(),
        "energy_delay_product": cost.energy_delay_product.to_json(),
        "mac_share": {name: share.to_json() for name, share in cost.mac_share.items()},
    }
    if plan is not None:
        planned = machine.evaluate(nn.planned_workload(exact, plan))
        row["savings"] = {name: saving.to_json() for name, saving in hardware.savings(planned, cost).items()}
    return row


NOTE = "The exact 8-bit design in its leanest coding; every figure with source and spread: --json, or `inexact net estimate`."


def show_compared(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print what `compared` found, a machine a column, as many machines side by side as the terminal has room for."""
    console = _tables.console()
    heads = max(len(name) for name in _compared(rows[0]))
    width = max(len(row["accelerator"]) for row in rows) + 2
    beside = max(1, (console.width - heads - 2) // width)
    for start in range(0, len(rows), beside):
        console.print(_machines(rows[start : start + beside]))
    console.print(NOTE)


def export_compared(rows: Sequence[Mapping[str, Any]], file: Path | None) -> None:
    """Write what `compared` found, all machines side by side."""
    write_table(_machines(rows), file, note=NOTE)


def _machines(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = [_compared(row) for row in rows]
    table = _tables.figures("exact 8 bit", *(row["accelerator"] for row in rows))
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    return table


def _compared(row: Mapping[str, Any]) -> dict[str, str]:
    """Figure -> what is shown of it, for one machine."""
    figures = {
        "node": row["node"],
        "cycles": f"{row['cycles']['value']:,.0f}",
        "latency, ms": f"{row['latency_ms']['value']:.4g}",
        "energy, uJ": f"{row['energy_pj']['value'] / 1e6:,.4g}",
        "energy, pJ/MAC": f"{row['energy_per_mac']['value']:.3g}",
        "efficiency, TOPS/W": f"{row['tops_per_watt']['value']:.3g}",
        "area, mm2": f"{row['area_um2']['value'] / 1e6:.3g}",
        "MACs, % of chip": f"{row['mac_share']['on_chip']['value']:.1f}",
        "MACs, % with DRAM": f"{row['mac_share']['with_dram']['value']:.1f}",
    }
    saved = {"array": "saved, % of array", "on_chip": "saved, % of chip", "with_dram": "saved, % with DRAM"}
    return figures | {title: f"{row['savings'][name]['value']:.1f}" for name, title in saved.items() if "savings" in row}


def workload_from(network: str, data: str, input_shape: str | None) -> Workload:
    """The exact workload of a zoo network, a `module:function`, or an ONNX file."""
    from inexact import nn, zoo

    if Path(network).suffix.lower() == ".onnx":
        return nn.workload_of_onnx(network, shape_of(input_shape))
    shape = shape_of(input_shape) or zoo.data(data, "test", 1).image_shape
    original = zoo.network(network, data=data) if input_shape is None else zoo.network(network)
    return nn.workload(original, shape, name=network)
