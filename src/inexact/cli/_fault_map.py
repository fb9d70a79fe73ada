"""`inexact fault map`: which bits, nets, elements and layers matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from inexact.cli import _network
from inexact.cli._options import PICTURE, broken_element, images_option, seed_option
from inexact.cli._tables import counted

TRIPLED = (8, 16, 32, 64, 128)
"""Counts of nets that a map by nets shows what tripling gives for."""


@click.command("map")
@_network.network_options
@_network.plan_options
@click.option("--by", type=click.Choice(["bit", "element", "net"]), default="bit", show_default=True, help="What is broken, one at a time.")
@broken_element
@click.option("--step", type=click.IntRange(min=1), default=1, show_default=True, help="With elements: every how many rows and columns.")
@click.option("--nets", type=click.IntRange(min=1), help="With nets: only so many, at random.")
@seed_option("Of the choice of nets.")
@images_option(500, "Test images a loss is measured on.")
@PICTURE
def map_faults(
    *,
    network: str,
    data: str,
    threads: int | None,
    plan: str | None,
    weights: tuple[Path, ...],
    calibrate: str | None,
    as_json: bool,
    images: int,
    picture: Path | None,
    **kind: Any,
) -> None:
    """Accuracy lost under every stuck-at fault of a grid: product bits in all multipliers of each layer, one register bit in every element
    of the array, or every net of the multiplier.

    Without --plan: exact signed 8-bit multipliers.
    """
    from inexact import zoo
    from inexact.cli._faulty_network import emulated
    from inexact.core.files import write_text
    from inexact.report.criticality import picture as draw

    _network.use_threads(threads)
    with _network.progress_bar() as bar:
        task = bar.add_task("faults", total=None)
        shown = zoo.data(data, "test", images)
        net = emulated(network, data, plan, weights, calibrate)
        found = _measured(net, shown, kind, lambda done, total: bar.update(task, completed=done, total=total))
    content = found.to_json() | ({"tripled": _tripled(net, found)} if kind["by"] == "net" else {})
    if picture is not None:
        write_text(picture, draw(content))
    click.echo(json.dumps(content) if as_json else _text(found, content.get("tripled", [])))


def _measured(net: Any, data: Any, kind: dict[str, Any], watch: Callable[[int, int], None]) -> Any:
    from inexact.reliability import ElementFault, criticality

    if kind["by"] == "bit":
        return criticality.of_bits(net, data, value=kind["value"], watch=watch)
    if kind["by"] == "net":
        return criticality.of_nets(net, data, limit=kind["nets"], seed=kind["seed"], watch=watch)
    fault = ElementFault(row=0, column=0, value=kind["value"], register=kind["register"], bit=kind["bit"])
    where = {"accelerator": kind["accelerator"], "dataflow": kind["dataflow"], "step": kind["step"]}
    return criticality.of_elements(net, data, fault, watch=watch, **where)


def _tripled(net: Any, found: Any) -> list[dict[str, Any]]:
    """Nets whose gates are worth having three times, for some counts."""
    from inexact.reliability import redundancy

    unit = next(iter(net.layers().values())).rule.unit
    chosen = redundancy.selected(found, unit, [count for count in TRIPLED if count <= len(found.rows)])
    return [
        {"nets": list(one.nets), "expected": list(one.expected), "area": one.area.to_json(), "area_percent": one.percent} for one in chosen
    ]


def _text(found: Any, tripled: list[dict[str, Any]]) -> str:
    mean, low, high = found.expected()
    lines = [
        f"{found.title}: {counted(found.images, 'image')}, {found.top1:.1f} % without a fault",
        f"mean loss over {counted(found.loss.size, 'fault')}: {mean:.2f} points [{low:.2f}, {high:.2f}]",
        "worst:",
        *(f"  {found.row_name} {row}, {found.column_name} {column}: {loss:+.1f} points" for row, column, loss in found.worst(10)),
    ]
    for one in tripled:
        mean, low, high = one["expected"]
        lines.append(
            f"gates of the {len(one['nets'])} nets of most loss for area three times, with voters: mean loss {mean:.2f} points "
            f"[{low:.2f}, {high:.2f}], {one['area_percent']:.0f} % more area of these gates"
        )
    return "\n".join(lines)
