"""`inexact net train`, `inexact net train-exits`: weights from scratch, and early exits beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from inexact.cli._network import network_options, progress_bar, use_threads
from inexact.cli._options import JSON, seed_option


@click.command("train")
@network_options
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Passes over the training images.")
@seed_option("Of weights, order and augmentation.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Weights file, .safetensors; its card is written beside.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many training images.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint beside --out.")
@JSON
def train_network(
    network: str, data: str, epochs: int, seed: int, out: Path, limit: int | None, threads: int | None, resume: bool, as_json: bool
) -> None:
    """Train a network of the zoo from scratch; Ctrl-C loses at most one epoch."""
    from inexact.zoo import architecture_of
    from inexact.zoo.training import Epoch, train_to_file

    use_threads(threads)
    architecture = architecture_of(network)
    with progress_bar() as bar:
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


@click.command("train-exits")
@network_options
@click.option(
    "--after", multiple=True, required=True, help="Module whose output a small classifier reads; repeatable in order of execution."
)
@click.option("--pool", type=click.IntRange(1, 8), default=4, show_default=True, help="Rows and columns its maps are averaged to.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights of the network.")
@click.option("--epochs", type=click.IntRange(min=1), default=10, show_default=True, help="Passes over the training images.")
@seed_option("Of weights and order.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Weights of the classifiers, .safetensors; a card beside.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many training images.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint beside --out.")
@JSON
def train_exits(**options: Any) -> None:
    """Train early exits of a trained network, which stays as it is; a plan names them in [plan.exits]."""
    from inexact.cli import _exits

    use_threads(options.pop("threads"))
    with progress_bar() as bar:
        _exits.train(bar=bar, **options)
