"""`inexact net`: train, evaluate and cost networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from inexact.cli._net_finetune import finetune_network
from inexact.core.errors import MissingDependencyError

if TYPE_CHECKING:
    from torch import nn as torch_nn

    from inexact.core.workload import Workload
    from inexact.hardware import Accelerator
    from inexact.reduction import Work
    from inexact.zoo import Dataset

CALIBRATION_SIZE = 512
"""Images that fix the activation ranges when a plan is applied."""

WEIGHTS_HELP = "Weights of the network; with --plan also, or instead, those of the emulated network (give the option twice)."


@click.group()
def net() -> None:
    """Train, evaluate and cost networks."""


net.add_command(finetune_network)


def _network_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--threads", type=click.IntRange(min=1), help="Threads to use (default: all cores)."),
        click.option("--data", default="fashion-mnist", show_default=True, help="Data set, folder, .npz file or module:function."),
        click.option("--network", required=True, help="Network of the zoo (resnet8, …) or module:function."),
    ):
        command = option(command)
    return command


def _plan_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--calibrate", help="Data that fixes activation ranges (default: the validation split of --data)."),
        click.option("--weights", type=click.Path(path_type=Path), multiple=True, help=WEIGHTS_HELP),
        click.option("--plan", type=click.Path(path_type=Path), help="Plan (TOML): what is approximated in which layer."),
    ):
        command = option(command)
    return command


@net.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_networks(as_json: bool) -> None:
    """Networks, their size, and the accuracy of the weights that come with the package."""
    from inexact.zoo import IMAGENET_NETWORK

    found = _known()
    if as_json:
        click.echo(json.dumps({"networks": found}))
        return
    table = Table("network", "parameters", "MACs", "weights", "top-1 % [95 %]", caption="top-1 on the test images, 95 % Wilson interval")
    for row in found:
        accuracies = [(name, weights["accuracy"]["test"]) for name, weights in row["weights"].items()]
        absent = "package" if row["name"] == IMAGENET_NETWORK else "train it"
        top1 = "\n".join(f"{a['top1']:.2f} [{a['low']:.2f}, {a['high']:.2f}]" for _, a in accuracies)
        size = f"{row['parameters']:,}", f"{row['macs'] / 1e6:.2f} M"
        table.add_row(row["name"], *size, "\n".join(name for name, _ in accuracies) or absent, top1)
    Console().print(table)


@net.command("train")
@_network_options
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Passes over the training images.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of weights, order and augmentation.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Weights file, .safetensors; its card is written beside.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many training images.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint beside --out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train_network(
    network: str, data: str, epochs: int, seed: int, out: Path, limit: int | None, threads: int | None, resume: bool, as_json: bool
) -> None:
    """Train a network of the zoo from scratch; Ctrl-C loses at most one epoch."""
    from inexact.zoo import architecture_of
    from inexact.zoo.training import Epoch, train_to_file

    _use_threads(threads)
    architecture = architecture_of(network)
    with _bar() as bar:
        task = bar.add_task(f"training {architecture.spec}", total=None)

        def show(step: Epoch) -> None:
            done = (step.epoch - 1) * step.steps + step.step
            text = f"{architecture.spec}, epoch {step.epoch} of {step.epochs}, loss {step.loss:.3f}"
            bar.update(task, total=step.epochs * step.steps, completed=done, description=text)

        card = train_to_file(architecture, data, out, epochs=epochs, seed=seed, limit=limit, resume=resume, progress=show)
    if as_json:
        click.echo(json.dumps({"weights": str(out)} | card.to_json()))
        return
    click.echo(f"weights in {out}, card in {out.with_suffix('.json')}")
    for accuracy in card.accuracy:
        click.echo(f"{accuracy.split}: {accuracy.top1:.2f} % top-1 [{accuracy.low:.2f}, {accuracy.high:.2f}], {accuracy.n} images")


@net.command("train-exits")
@_network_options
@click.option("--after", multiple=True, required=True, help="Module whose output a small classifier reads; several in order of execution.")
@click.option("--pool", type=click.IntRange(1, 8), default=4, show_default=True, help="Rows and columns its maps are averaged to.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights of the network.")
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True, help="Passes over the training images.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of weights and order.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Weights of the classifiers, .safetensors; a card beside.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many training images.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint beside --out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train_exits_of(**options: Any) -> None:
    """Train early exits of a trained network, which stays as it is; a plan names them in [plan.exits]."""
    from inexact.cli import _exits

    _use_threads(options.pop("threads"))
    with _bar() as bar:
        _exits.train(bar=bar, **options)


@net.command("evaluate")
@_network_options
@_plan_options
@click.option("--split", type=click.Choice(["test", "validation", "train"]), default="test", show_default=True, help="Which images.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many images.")
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=250, show_default=True, help="Images a step; results do not depend on it."
)
@click.option("--agreement", "with_agreement", is_flag=True, help="Also compare answers and logits with the float32 network.")
def evaluate_network(
    network: str,
    data: str,
    plan: Path | None,
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

    _use_threads(threads)
    images = zoo.data(data, split, limit)
    original, emulated = _networks(network, data, images, plan, weights, calibrate)
    exact = (
        None
        if emulated is None
        else nn.approximate(original, nn.Plan(precision="int8", coding="signed"), calibrate=_calibration(data, calibrate))
    )
    with _bar() as bar:
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
@_network_options
@_plan_options
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
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE.svg", help="Also write stacked bars by layer and component.")
@click.option("--zigzag", type=click.Path(path_type=Path), metavar="FOLDER", help="Also write machine and layers as ZigZag's YAML.")
def estimate_network(
    *,
    network: str,
    data: str,
    plan: Path | None,
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
    threads: int | None,
    as_json: bool,
) -> None:
    """Cycles, energy and area of one inference, and the saving against the exact 8-bit design (which it is without a plan).

    --network may be an ONNX file: shapes are all that is read. Without weights or recovery to fit, a plan is then charged layer by layer.
    """
    from inexact import hardware, nn, zoo
    from inexact.cli import _estimate, _mixed, _reductions
    from inexact.core.files import write_text

    _use_threads(threads)
    machine = _estimate.with_operands(hardware.load(accelerator), operands)
    measured: Workload | None = None
    works: Mapping[str, Work] = {}
    mixed: dict[str, dict[str, float]] = {}
    if operands == "measured":
        exact, planned, measured, works = _measured(network, data, plan, weights, calibrate, machine)
    elif plan is None or input_shape is not None or network.lower().endswith(".onnx"):
        exact = _estimate.workload_from(network, data, input_shape)
        planned = hardware.leanest_baseline(machine, exact) if plan is None else nn.planned_workload(exact, nn.Plan.load(plan))
    else:
        images = zoo.data(data, "test", 1)
        original, emulated = _networks(network, data, images, plan, weights, calibrate)
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
    if as_json:
        click.echo(json.dumps(result))
        return
    _estimate.show(result, layers=layers)
    _reductions.show(result["reductions"])
    _mixed.show(mixed)


def _measured(
    network: str, data: str, plan: Path | None, weights: tuple[Path, ...], calibrate: str | None, machine: Accelerator
) -> tuple[Workload, Workload, Workload, Mapping[str, Work]]:
    """The exact, the planned and the leanest exact design, both with the operands their layers meet on calibration images; works."""
    from inexact import hardware, nn, zoo

    images, seen = zoo.data(data, "test", 1), _calibration(data, calibrate)
    original, emulated = _networks(network, data, images, plan, weights, calibrate)
    exact = nn.workload(original, images.image_shape, name=network)
    coding = hardware.leanest_baseline(machine, exact).multiplying[0].arithmetic.coding
    reference = nn.measured_workload(nn.approximate(original, nn.Plan(coding=coding), calibrate=seen), seen, name=network)
    if emulated is None:
        return exact, reference, reference, {}
    return exact, nn.measured_workload(emulated, seen, name=network), reference, emulated.works()


def _networks(
    network: str, data: str, images: Dataset, plan: Path | None, weights: tuple[Path, ...], calibrate: str | None
) -> tuple[Any, Any]:
    """The float32 network and, with a plan, the emulated one: calibrated and repaired, or with its own weights when those are given."""
    from inexact import nn, recovery, zoo
    from inexact.cli import _exits

    # The names in a file tell whose weights they are: only an emulated network has scales of activations.
    states = {path: zoo.read_weights(path) for path in weights if path.is_file()} if plan is not None else {}
    own = next((path for path, state in states.items() if any(name.endswith(".a_scale") for name in state)), None)
    plain = [path for path in weights if path != own]
    original = zoo.network(network, data=data, weights=plain[-1] if plain else None)
    zoo.check_compatible(original, images)
    if plan is None:
        return original, None
    chosen = nn.Plan.load(plan)
    planned = _exits.given(original, chosen, plan, trained=own is None)
    if own is not None:
        emulated = nn.approximate(planned, chosen)
        zoo.load_into(emulated, states[own], where=str(own))
        return original, emulated
    calibration = _calibration(data, calibrate)
    emulated = recovery.recover(nn.approximate(planned, chosen, calibrate=calibration), data=calibration)
    _exits.settle(emulated, original, zoo.data(data, "validation", _exits.JUDGED))
    return original, emulated


def _calibration(data: str, calibrate: str | None) -> Dataset:
    from inexact import zoo

    return zoo.data(data, "validation", CALIBRATION_SIZE) if calibrate is None else zoo.data(calibrate, "validation", CALIBRATION_SIZE)


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
    click.echo(f"top-1 {result['top1']:.2f} % [{low:.2f}, {high:.2f}] on {result['n']} images ({result['data']}, {result['split']})")
    for key, against in (("drop", "float32"), ("drop_int8", "the exact 8-bit network")):
        if result[key] is not None:
            low, high = result[f"{key}_ci"]
            click.echo(f"drop {result[key]:+.2f} points [{low:+.2f}, {high:+.2f}] against {against}, paired, 95 % interval")
    if "agreement" in result:
        same = result["agreement"]
        click.echo(f"same answer as float32 on {same['top1']:.2f} % of images; relative logit error {same['logit_error']:.4f}")


def _use_threads(threads: int | None) -> None:
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar
