"""`inexact net`: train, evaluate and cost networks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from inexact.cli import _tables
from inexact.cli._exported import TABLE
from inexact.cli._group import Group
from inexact.cli._net_finetune import finetune_network
from inexact.cli._net_train import train_exits, train_network
from inexact.cli._network import calibration_set, network_options, networks, plan_options, progress_bar, use_threads
from inexact.cli._options import JSON, picture_option
from inexact.cli._plans import plan_of
from inexact.core.errors import MissingDependencyError

if TYPE_CHECKING:
    from torch import nn as torch_nn

    from inexact.core.workload import Workload
    from inexact.hardware import Accelerator
    from inexact.reduction import Work


@click.group(cls=Group)
def net() -> None:
    """Train, evaluate and cost networks."""


for command in (train_network, train_exits, finetune_network):
    net.add_command(command)


@net.command("list")
@JSON
def list_networks(as_json: bool) -> None:
    """Networks, their size, and the accuracy of the weights that come with the package."""
    from inexact.zoo import IMAGENET_NETWORK

    with progress_bar() as bar:
        bar.add_task("counting multiplications", total=None)
        found = _known()
    if as_json:
        click.echo(json.dumps({"networks": found}))
        return
    table = Table("network", "parameters", "MACs", "weights", "top-1 % [95 %]", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.caption, table.caption_justify = "top-1 on the test images, 95 % Wilson interval", "left"
    for column in table.columns:
        column.no_wrap = True
    for row in found:
        accuracies = [(name, weights["accuracy"]["test"]) for name, weights in row["weights"].items()]
        absent = "package" if row["name"] == IMAGENET_NETWORK else "train it"
        top1 = "\n".join(f"{a['top1']:.2f} [{a['low']:.2f}, {a['high']:.2f}]" for _, a in accuracies)
        size = f"{row['parameters']:,}", f"{row['macs'] / 1e6:.2f} M"
        table.add_row(row["name"], *size, "\n".join(name for name, _ in accuracies) or absent, top1)
    _tables.console().print(table)


@net.command("evaluate")
@network_options
@plan_options
@click.option("--split", type=click.Choice(["test", "validation", "train"]), default="test", show_default=True, help="Which images.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many images.")
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=250, show_default=True, help="Images a step; results do not depend on it."
)
@click.option("--agreement", "with_agreement", is_flag=True, help="Also compare answers and logits with the float32 network.")
def evaluate_network(
    network: str,
    data: str,
    plan: str | None,
    weights: tuple[Path, ...],
    calibrate: str | None,
    split: str,
    limit: int | None,
    threads: int | None,
    batch_size: int,
    with_agreement: bool,
    as_json: bool,
) -> None:
    """Top-1 accuracy in percent; with a plan, the paired drops in points against float32 and the exact 8-bit network."""
    from inexact import nn, zoo
    from inexact.cli import _exits, _mixed, _reductions

    use_threads(threads)
    with progress_bar() as bar:
        opening = bar.add_task(f"opening {network}", total=None)
        images = zoo.data(data, split, limit)
        original, emulated = networks(network, data, images, plan, weights, calibrate)
        exact = (
            None
            if emulated is None
            else nn.approximate(original, nn.Plan(precision="int8", coding="signed"), calibrate=calibration_set(data, calibrate))
        )
        bar.remove_task(opening)
        task = bar.add_task(f"evaluating on {len(images)} images", total=len(images) * (1 if exact is None else 3))

        def run(model: torch_nn.Module, **references: Any) -> nn.Evaluation:
            return nn.evaluate(model, images, batch_size=batch_size, progress=lambda n: bar.update(task, advance=n), **references)

        float32 = run(original)
        if emulated is None or exact is None:
            result = float32.to_json() | {"drop": 0.0, "drop_ci": [0.0, 0.0]}
        else:
            result = run(emulated, reference=float32, reference_int8=run(exact)).to_json() | {"plan_sha256": emulated.plan.sha256}
            result["reductions"] = _reductions.to_json(emulated.works())
            result["mixed"] = emulated.mixtures()
            result |= _exits.evaluated(emulated, images, batch_size)
    if with_agreement:
        result["agreement"] = zoo.agreement(emulated or original, original, images).to_json()
    result |= {"network": network, "data": data, "split": split}
    _show_evaluation(result, as_json=as_json)
    if not as_json:
        _exits.show(result)
        _reductions.show(result.get("reductions", {}))
        _mixed.show(result.get("mixed", {}))


@net.command("estimate")
@network_options
@plan_options
@click.option("--accelerator", default="edge-16x16", show_default=True, help="Preset (`inexact accelerator list`) or TOML file.")
@click.option("--input-shape", help="Of one input without the batch, as 3,224,224: for networks no data set of --data fits.")
@click.option(
    "--operands",
    type=click.Choice(["network", "uniform", "measured"]),
    default="network",
    show_default=True,
    help="What switches: codes as trained networks have them, uniform ones, or those each layer meets (slower; needs Yosys).",
)
@click.option("--layers", is_flag=True, help="Also a table of layers: cycles, stalls, utilisation, energy, tile and loops of the mapping.")
@click.option("--operating-points", "points", is_flag=True, help="Also what a shorter critical path is worth in speed or in voltage.")
@click.option(
    "--carbon", type=click.FloatRange(min=0), metavar="G_PER_KWH", help="Also embodied carbon, at this carbon intensity of the fab."
)
@picture_option("Also write stacked bars by layer and component.")
@click.option("--zigzag", type=click.Path(path_type=Path), metavar="FOLDER", help="Also write machine and layers as ZigZag's YAML.")
@TABLE
def estimate_network(
    *,
    network: str,
    data: str,
    plan: str | None,
    weights: tuple[Path, ...],
    calibrate: str | None,
    accelerator: str,
    input_shape: str | None,
    operands: str,
    layers: bool,
    points: bool,
    carbon: float | None,
    picture: Path | None,
    zigzag: Path | None,
    table: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Cycles, energy and area of one inference, and the saving against the exact 8-bit design (which it is without a plan).

    --network may be an ONNX file: shapes are all that is read. Without weights or recovery to fit, a plan is then charged layer by layer.
    """
    from inexact import hardware, nn, zoo
    from inexact.cli import _estimate, _mixed, _reductions
    from inexact.core.files import write_text

    use_threads(threads)
    machine = _estimate.with_operands(hardware.load(accelerator), operands)
    measured: Workload | None = None
    works: Mapping[str, Work] = {}
    mixed: dict[str, dict[str, float]] = {}
    with progress_bar() as bar:
        bar.add_task(f"accounting for {network} on {machine.name}", total=None)
        if operands == "measured":
            exact, planned, measured, works = _measured(network, data, plan, weights, calibrate, machine)
        elif plan is None or input_shape is not None or network.lower().endswith(".onnx"):
            exact = _estimate.workload_from(network, data, input_shape)
            planned = hardware.leanest_baseline(machine, exact) if plan is None else nn.planned_workload(exact, plan_of(plan))
        else:
            images = zoo.data(data, "test", 1)
            original, emulated = networks(network, data, images, plan, weights, calibrate)
            exact = nn.workload(original, images.image_shape, name=network)
            planned = nn.workload(emulated, images.image_shape, name=network)
            works = {} if emulated is None else emulated.works()
            mixed = {} if emulated is None else emulated.mixtures()
        result = _estimate.account(machine, exact, planned, baseline=measured, points=points, carbon=carbon)
    result |= {"reductions": _reductions.to_json(works), "mixed": mixed}
    if picture is not None:
        from inexact.report import account

        write_text(picture, account.picture(result))
    if zigzag is not None:
        from inexact.hardware import zigzag as exchange

        exchange.export(machine, planned, zigzag)
    _estimate.export(result, table)
    if as_json:
        click.echo(json.dumps(result))
        return
    _estimate.show(result, layers=layers)
    _reductions.show(result["reductions"])
    _mixed.show(mixed)


def _measured(
    network: str, data: str, plan: str | None, weights: tuple[Path, ...], calibrate: str | None, machine: Accelerator
) -> tuple[Workload, Workload, Workload, Mapping[str, Work]]:
    """The exact, the planned and the leanest exact design, both with the operands their layers meet on calibration images; works."""
    from inexact import hardware, nn, zoo

    images, seen = zoo.data(data, "test", 1), calibration_set(data, calibrate)
    original, emulated = networks(network, data, images, plan, weights, calibrate)
    exact = nn.workload(original, images.image_shape, name=network)
    coding = hardware.leanest_baseline(machine, exact).multiplying[0].arithmetic.coding
    reference = nn.measured_workload(nn.approximate(original, nn.Plan(coding=coding), calibrate=seen), seen, name=network)
    if emulated is None:
        return exact, reference, reference, {}
    return exact, nn.measured_workload(emulated, seen, name=network), reference, emulated.works()


def _known() -> list[dict[str, Any]]:
    from inexact import nn, zoo

    cards = [*zoo.cards(), *zoo.head_cards()]
    found = []
    models: dict[str, tuple[torch_nn.Module, tuple[int, ...]]] = {
        name: (zoo.untrained(architecture()), architecture().input_shape) for name, architecture in zoo.architectures.items()
    }
    with suppress(MissingDependencyError):  # listed when its packages are installed
        models[zoo.IMAGENET_NETWORK] = (zoo.network(zoo.IMAGENET_NETWORK), (3, 224, 224))
    with suppress(MissingDependencyError):
        models[zoo.TEXT_NETWORK] = (zoo.network(zoo.TEXT_NETWORK), (zoo.TOKENS,))
    for name, (model, shape) in models.items():
        found.append(
            {
                "name": name,
                "parameters": sum(p.numel() for p in model.parameters()),
                "macs": nn.workload(model, shape).macs,
                "input": list(shape),
                "weights": {card.data: card.to_json() for card in cards if card.network == name},
            }
        )
    return found


def _show_evaluation(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    low, high = result["top1_ci"]
    images = _tables.counted(result["n"], "image")
    click.echo(f"top-1 {result['top1']:.2f} % [{low:.2f}, {high:.2f}] on {images} ({result['data']}, {result['split']})")
    for key, against in (("drop", "float32"), ("drop_int8", "the exact 8-bit network")):
        if result[key] is not None and "plan_sha256" in result:
            low, high = result[f"{key}_ci"]
            click.echo(f"drop {result[key]:+.2f} points [{low:+.2f}, {high:+.2f}] against {against}, paired, 95 % interval")
    if "agreement" in result:
        same = result["agreement"]
        click.echo(f"same answer as float32 on {same['top1']:.2f} % of images; relative logit error {same['logit_error']:.4f}")
