"""`inexact fault protect`: what helps against a broken element, and against broken multipliers, at what cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from inexact.cli import _network
from inexact.cli._options import broken_element, images_option, seed_option
from inexact.cli._tables import counted


@click.command("protect")
@_network.network_options
@_network.plan_options
@click.option("--element", type=(int, int), default=(0, 0), show_default=True, metavar="ROW COLUMN", help="The broken element.")
@broken_element
@click.option("--replica", default="trunc(cut=6,signed=true)", show_default=True, help="Approximate replica of approximate redundancy.")
@click.option(
    "--nets", type=click.IntRange(min=0), default=20, show_default=True, help="Random nets of each redundant multiplier; 0: none."
)
@seed_option("Of the choice of nets.")
@images_option(500, "Test images a loss is measured on.")
def protect(
    *,
    network: str,
    data: str,
    threads: int | None,
    plan: str | None,
    weights: tuple[Path, ...],
    calibrate: str | None,
    as_json: bool,
    images: int,
    nets: int,
    seed: int,
    replica: str,
    **broken: Any,
) -> None:
    """Measures against one broken element (switching it off, another order of filters, three elements), and against stuck nets of all
    multipliers (three of them with a voter, two of these approximate), measured before and after and charged on the accelerator.

    Without --plan: exact signed 8-bit multipliers, which the redundant ones are compared with.
    """
    from inexact import nn, zoo
    from inexact.cli._faulty_network import emulated
    from inexact.reliability import ElementFault, protection, redundancy

    _network.use_threads(threads)
    row, column = broken["element"]
    fault = ElementFault(row=row, column=column, value=broken["value"], register=broken["register"], bit=broken["bit"])
    with _network.progress_bar() as bar:
        task = bar.add_task("measures", total=None)
        shown = zoo.data(data, "test", images)
        net = emulated(network, data, plan, weights, calibrate)
        seen = nn.first_inputs(_network.calibration_set(data, calibrate), 32)
        found = protection.protect(net, shown, fault, calibration=seen, accelerator=broken["accelerator"], dataflow=broken["dataflow"])
        voted = []
        if nets:
            exact = next(iter(net.layers().values())).rule.unit.spec
            designs = [(exact,), (exact, exact, exact), (exact, replica, replica)]

            def watch(done: int, total: int) -> None:
                bar.update(task, description="voted multipliers", completed=done, total=total)

            voted = redundancy.voted_losses(net, shown, designs, nets=nets, seed=seed, watch=watch)
    content = {
        "fault": asdict(fault),
        "images": images,
        "measures": [_measure(one) for one in found],
        "voted": [_voted(one) for one in voted],
    }
    click.echo(json.dumps(content) if as_json else _text(content))


def _interval(found: Any) -> dict[str, Any]:
    return {"points": 100 * found.drop, "ci": [100 * found.low, 100 * found.high]}


def _measure(one: Any) -> dict[str, Any]:
    return {"measure": one.measure, "loss": _interval(one.loss), "gained": _interval(one.gained), "cost": one.charge.to_json()}


def _voted(one: Any) -> dict[str, Any]:
    return {
        "unit": one.unit,
        "loss_without_fault": _interval(one.without),
        "faults": one.faults,
        "mean_loss": {"points": one.mean.mean, "ci": one.mean.to_json()["ci"]},
        "worst_loss": one.worst,
        "area": one.area.to_json(),
        "area_percent": one.percent,
    }


def _text(content: dict[str, Any]) -> str:
    lines = [f"{'measure':18} {'loss, points [95 %]':>24} {'gained, points [95 %]':>24} {'area %':>8} {'energy %':>8}"]
    for one in content["measures"]:
        cost = one["cost"]
        figures = f"{cost['area_percent']:8.2f} {cost['energy_percent']:8.2f}  {cost['note']}"
        lines.append(f"{one['measure']:18} {_shown(one['loss']):>24} {_shown(one['gained']):>24} {figures}")
    for one in content["voted"]:
        lines.append(
            f"{one['unit']}: without a fault {_shown(one['loss_without_fault'])}, mean over {counted(one['faults'], 'stuck net')} "
            f"{_shown(one['mean_loss'])}, worst {one['worst_loss']:.1f} points; area {one['area_percent']:.0f} % of one multiplier"
        )
    return "\n".join(lines)


def _shown(value: dict[str, Any]) -> str:
    if value["ci"] is None:
        return f"{value['points']:+.1f} [no interval of one]"
    low, high = value["ci"]
    return f"{value['points']:+.1f} [{low:+.1f}, {high:+.1f}]"
