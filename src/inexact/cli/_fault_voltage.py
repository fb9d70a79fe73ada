"""`inexact fault voltage`: accuracy and energy against the supply of memories or of the array."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from inexact.cli import _tables
from inexact.cli._network import calibration_set, network_options, networks, plan_options, progress_bar, use_threads
from inexact.cli._options import LIMIT, PICTURE, seed_option
from inexact.core.errors import DataError
from inexact.core.files import write_text

if TYPE_CHECKING:
    from inexact.nn import ApproxModel
    from inexact.reliability import ArrayPoint, MemoryPoint
    from inexact.report.curves import Panel
    from inexact.zoo import Dataset

MEMORY = "0.958,0.917,0.896,0.875,0.854,0.833"
ARRAY = "1.1,1,0.95,0.9,0.85,0.8,0.75"


@click.command("voltage")
@network_options
@plan_options
@click.option(
    "--of",
    "part",
    type=click.Choice(["weight", "activation", "both", "array"]),
    default="weight",
    show_default=True,
    help="Whose supply: the memory of weights, of activations, both, or the array of multipliers.",
)
@click.option("--voltages", help=f"Memories: over the lowest error-free voltage (default {MEMORY}); array: V (default {ARRAY}).")
@click.option("--chips", type=click.IntRange(min=2), default=20, show_default=True, help="Memories: chips of every point.")
@click.option("--memory", "memory_spec", default="", help="Memories: more of sram_voltage, as 'to_one=0.8,persistent=0.1'.")
@click.option("--policy", default="none", show_default=True, help="Array: none, te_drop or boost.")
@click.option("--order", default="weight_stationary", show_default=True, help="Array: order of the products of an element.")
@click.option("--layer-voltage", "own", multiple=True, metavar="LAYER=V", help="Array: layers (name or glob) with a voltage of their own.")
@click.option("--margin", type=float, default=0.0, show_default=True, help="Array: share of the cycle left unused at nominal voltage.")
@click.option("--coding", default="unsigned", show_default=True, help="Without a plan: coding of the exact 8-bit network.")
@click.option("--accelerator", default="edge-16x16", show_default=True, help="Preset or TOML file: what energies are charged for.")
@LIMIT
@seed_option("Of the choice of chips.")
@PICTURE
def voltage(
    *,
    network: str,
    data: str,
    threads: int | None,
    plan: str | None,
    weights: tuple[Path, ...],
    calibrate: str | None,
    as_json: bool,
    part: str,
    voltages: str | None,
    accelerator: str,
    limit: int,
    picture: Path | None,
    coding: str,
    **options: Any,
) -> None:
    """Lower a supply step by step: bit errors of memories over many chips, or products that come too late in the array.

    Every point has its accuracy with a 95 % interval and the energy of one inference. For memories the interval is over chips, for the
    array over images, paired with the same network at nominal voltage.
    """
    from inexact import hardware, nn, zoo

    use_threads(threads)
    images = zoo.data(data, "test", limit)
    original, emulated = networks(network, data, images, plan, weights, calibrate)
    net = emulated or nn.approximate(original, nn.Plan(coding=coding), calibrate=calibration_set(data, calibrate))
    machine, places = hardware.load(accelerator), numbers(voltages or (ARRAY if part == "array" else MEMORY), "--voltages")
    with progress_bar() as bar:
        task = bar.add_task(network, total=None)

        def show(what: str) -> None:
            bar.update(task, description=f"{network}: {what}")

        points = _points(net, images, machine, part, places, options, show)
        bits = _bits(net, images, places, options["margin"]) if part == "array" else {}
    found = [point.to_json() for point in points]
    if picture is not None:
        write_text(picture, _picture(f"{network} on {data}, supply of: {part}", part, found))
    if as_json:
        click.echo(json.dumps({"network": network, "data": data, "of": part, "images": len(images), "points": found} | bits))
        return
    (_show_array if part == "array" else _show_memory)(found, len(images))
    if bits:
        _show_bits(bits["bits"], places)


def numbers(text: str, option: str) -> tuple[float, ...]:
    """`0.9,0.8` as numbers. Raises DataError."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise DataError(f"{option} must be numbers with commas between them, as 0.9,0.8, not {text!r}") from None


def _points(
    net: ApproxModel, images: Dataset, machine: Any, part: str, places: Sequence[float], options: Mapping[str, Any], show: Any
) -> Sequence[MemoryPoint | ArrayPoint]:
    from inexact import nn
    from inexact.reliability import ArraySettings, array_sweep, faults, memory_sweep
    from inexact.reliability.sram_voltage import SramVoltage

    workload = nn.workload(net)
    if part == "array":
        settings = ArraySettings(
            voltages=tuple(places),
            layers=dict(_layer_voltage(text) for text in options["own"]),
            policy=options["policy"],
            order=options["order"],
            array_rows=machine.rows,
            margin=options["margin"],
        )
        return array_sweep(net, images, machine, workload, settings, progress=show)
    more = f",{options['memory_spec']}" if options["memory_spec"] else ""
    chosen = [faults.get(f"sram_voltage(voltage={place},memory={part}{more})") for place in places]
    known = [fault for fault in chosen if isinstance(fault, SramVoltage)]
    return memory_sweep(net, images, images, machine, workload, known, chips=options["chips"], seed=options["seed"], progress=show)


def _bits(net: ApproxModel, images: Dataset, places: Sequence[float], margin: float) -> dict[str, Any]:
    from inexact.reliability._bit_times import bit_times

    return {"bits": [found.to_json() for found in bit_times(net, images, places, margin=margin)]}


def _layer_voltage(text: str) -> tuple[str, float]:
    name, equals, volts = text.rpartition("=")
    try:
        return (name, float(volts)) if equals and name else _refuse(text)
    except ValueError:
        return _refuse(text)


def _refuse(text: str) -> tuple[str, float]:
    raise DataError(f"--layer-voltage must be a layer and volts, as conv1=1.0, not {text!r}")


def plain_table(titles: Sequence[str], caption: str) -> Table:
    """A table whose headings are folded, never cut."""
    table = Table(box=box.SIMPLE, caption=caption)
    for title in titles:
        table.add_column(title, overflow="fold", justify="right")
    return table


def _show_memory(points: Sequence[Mapping[str, Any]], images: int) -> None:
    titles = (
        "V / Vmin",
        "bit error rate",
        "top-1 % [95 % over chips]",
        "drop, points",
        "memory energy uJ",
        "saved %",
        "chip %",
        "with DRAM %",
    )
    table = plain_table(titles, f"{points[0]['top1']['chips']} chips, {images} test images; energies of one inference")
    for point in points:
        low, high = point["top1"]["ci"]
        energy, saved = point["energy_pj"]["lowered"]["value"], point["saved"]
        table.add_row(
            f"{point['voltage']:g}",
            f"{point['bit_error_rate']:.1e}",
            f"{point['top1']['mean']:.2f} [{low:.2f}, {high:.2f}]",
            f"{point['drop']['mean']:+.2f}",
            f"{energy / 1e6:.3f}",
            f"{100 * (1 - point['voltage'] ** 2):.1f}",
            f"{saved['on_chip']['value']:.1f}",
            f"{saved['with_dram']['value']:.1f}",
        )
    _print(table, points)


def _show_array(points: Sequence[Mapping[str, Any]], images: int) -> None:
    titles = ("V", "late products", "left out", "top-1 %", "drop, points [95 %]", "array energy uJ", "array %", "chip %", "with DRAM %")
    table = plain_table(titles, f"policy {points[0]['policy']}, {images} test images; energies of one inference")
    for point in points:
        low, high = point["drop_int8_ci"]
        saved = point["saved"]
        table.add_row(
            f"{point['voltage']:g}",
            f"{point['late_share']:.1e}",
            f"{point['dropped_share']:.1e}",
            f"{point['top1']:.2f}",
            f"{point['drop_int8']:+.2f} [{low:+.2f}, {high:+.2f}]",
            f"{point['energy_pj']['lowered']['value'] / 1e6:.3f}",
            *(f"{saved[name]['value']:.1f}" for name in ("array", "on_chip", "with_dram")),
        )
    _print(table, points)


def _show_bits(bits: Sequence[Mapping[str, Any]], places: Sequence[float]) -> None:
    titles = ("unit", "bit", "static ns", "latest ns", *(f"late at {volts:g} V" for volts in places))
    table = Table(
        *titles, box=box.SIMPLE, caption="transitions of the operands of 16 images under held weights; latest: in a sample, no bound"
    )
    for bit in bits:
        late = (f"{share:.1e}" if share else "0" for share in bit["late"])
        table.add_row(bit["unit"], str(bit["bit"]), f"{bit['static_ns']:.3f}", f"{bit['latest_ns']:.3f}", *late)
    _tables.console().print(table)


def _print(table: Table, points: Sequence[Mapping[str, Any]]) -> None:
    console = _tables.console()
    console.print(table)
    figure = points[0]["energy_pj"]["lowered"]
    console.print(f"energy: {figure['source']}" + ("" if figure["verified"] else " (unverified: a declared overhead)"), markup=False)


def _picture(title: str, part: str, points: Sequence[Mapping[str, Any]]) -> str:
    from inexact.report.curves import picture

    axis = "array supply, V" if part == "array" else "supply of the memory over its lowest error-free voltage"
    return picture(title, axis, _panels(part, points))


def _panels(part: str, points: Sequence[Mapping[str, Any]]) -> list[Panel]:
    from inexact.report.curves import Curve, Panel

    array = part == "array"

    def curve(label: str, of: Any, band: Any = None) -> Curve:
        ends = () if band is None else tuple(band(point) for point in points)
        return Curve(label=label, points=tuple((point["voltage"], of(point)) for point in points), band=ends)

    top1 = (
        curve("test images, 95 % interval", lambda p: p["top1"], lambda p: tuple(p["top1_ci"]))
        if array
        else curve("mean over chips, 95 % interval", lambda p: p["top1"]["mean"], lambda p: tuple(p["top1"]["ci"]))
    )
    lowered = curve("array" if array else "memory", lambda p: p["energy_pj"]["lowered"]["value"] / 1e6)
    whole = curve("chip and DRAM", lambda p: p["energy_pj"]["with_dram"]["value"] / 1e6)
    return [
        Panel(title="top-1, %", curves=(top1,)),
        Panel(title=f"energy of the {lowered.label}, uJ per inference", curves=(lowered,)),
        Panel(title="energy of chip and DRAM, uJ per inference", curves=(whole,)),
    ]
