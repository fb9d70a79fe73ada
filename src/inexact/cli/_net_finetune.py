"""`inexact net finetune`: approximation-aware fine-tuning of a planned network, with a card beside the weights."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inexact.cli._options import DATA, JSON, NETWORK, PLAN_HELP, THREADS, seed_option
from inexact.core.errors import OutputError
from inexact.core.files import ensure_folder, write_text

if TYPE_CHECKING:
    from inexact.recovery.training import Epoch, Outcome


@click.command("finetune")
@NETWORK
@DATA
@click.option("--plan", required=True, help=PLAN_HELP)
@click.option("--weights", type=click.Path(path_type=Path), multiple=True, help="Weights to start from: float32, emulated, or both.")
@click.option("--calibrate", help="Data that fixes activation ranges at first (default: the validation split of --data).")
@click.option("--training", default="finetune", show_default=True, help="All settings as a spec, as 'finetune(epochs=2,batch=128)'.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training images.")
@click.option("--rate", type=float, help="Learning rate at the start.")
@click.option("--loss", help="As 'cross_entropy', 'distillation(alpha=0.9)', 'sensitivity(strength=0.01)'.")
@click.option("--gradient", help="Of the unit, as 'linear_fit' (default: what the plan says).")
@click.option("--trained", help="'all', 'affine' (a factor and a constant a channel) or 'bias'.")
@click.option("--projection", help="Weights to codes on which the unit is exact: 'none', 'end' or 'step'.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many training images.")
@click.option(
    "--validation-limit",
    type=click.IntRange(min=0),
    default=2000,
    show_default=True,
    help="Validation images that choose the epoch; 0: none.",
)
@seed_option("Of order, shifts and noise.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Weights file, .safetensors; its card is written beside.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint beside --out.")
@THREADS
@JSON
def finetune_network(
    *,
    network: str,
    data: str,
    plan: str,
    weights: tuple[Path, ...],
    calibrate: str | None,
    training: str,
    limit: int | None,
    validation_limit: int,
    seed: int,
    out: Path,
    resume: bool,
    threads: int | None,
    as_json: bool,
    **overrides: Any,
) -> None:
    """Fine-tune the network under a plan: forward through its units, backward by its gradients; Ctrl-C loses at most half a minute.

    The result is evaluated by `inexact net evaluate` with the same --plan and --weights OUT.
    """
    from inexact import zoo
    from inexact.cli import _network
    from inexact.recovery.training import run_finetune

    if out.suffix != ".safetensors":
        raise OutputError(f"the weights file must end with .safetensors, not {out.name!r}")
    ensure_folder(out.parent)
    _network.use_threads(threads)
    settings = _settings(training, overrides)
    images = zoo.data(data, "train", limit)
    held = zoo.data(data, "validation", validation_limit) if validation_limit else None
    original, emulated = _network.networks(network, data, images, plan, weights, calibrate)
    with _network.progress_bar() as bar:
        task = bar.add_task(f"fine-tuning {network}", total=None)

        def show(moment: Epoch) -> None:
            done = (moment.epoch - 1) * moment.steps + moment.step
            text = f"{network}, epoch {moment.epoch} of {moment.epochs}, loss {moment.loss:.3f}"
            bar.update(task, total=moment.epochs * moment.steps, completed=done, description=text)

        outcome = run_finetune(
            emulated,
            images,
            settings,
            teacher=original,
            validation=held,
            seed=seed,
            checkpoint=out.with_name(out.name + ".checkpoint"),
            resume=resume,
            progress=show,
        )
    zoo.write_weights(out, outcome.net)
    card = {"network": network, "data": data, "images": len(images), "seed": seed, "training": settings.spec}
    card |= {"plan_sha256": outcome.net.plan.sha256} | _facts(outcome)
    write_text(out.with_suffix(".json"), json.dumps(card, indent=2) + "\n")
    _show({"weights": str(out)} | card, as_json=as_json)


def _settings(training: str, overrides: dict[str, Any]) -> Any:
    from inexact.recovery.training import trainings

    return dataclasses.replace(trainings.get(training), **{name: value for name, value in overrides.items() if value is not None})  # type: ignore[type-var]


def _facts(outcome: Outcome) -> dict[str, Any]:
    """loss: mean of the epoch, None before training; top1: percent on the validation images."""
    epochs = [{"epoch": e.epoch, "loss": None if math.isnan(e.loss) else e.loss, "top1": e.top1} for e in outcome.epochs]
    return {"epochs": epochs, "kept": outcome.kept, "stopped": outcome.stopped, "seconds": round(outcome.seconds, 1)}


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if result["stopped"] is not None:
        click.echo(f"warning: {result['stopped']}", err=True)
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo(f"weights in {result['weights']}, card beside; epoch {result['kept']} kept, {result['seconds']} s of training")
    for epoch in result["epochs"]:
        loss = "before training" if epoch["loss"] is None else f"loss {epoch['loss']:.4f}"
        top1 = "" if epoch["top1"] is None else f", {epoch['top1']:.2f} % top-1 on validation images"
        click.echo(f"epoch {epoch['epoch']}: {loss}{top1}")
