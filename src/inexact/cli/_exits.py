"""Early exits on the command line: training their classifiers, putting them into a network, and where inputs leave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from inexact.cli import _tables

if TYPE_CHECKING:
    from rich.progress import Progress
    from torch import nn as torch_nn

    from inexact.nn import ApproxModel, Plan
    from inexact.zoo import Dataset
    from inexact.zoo.training import ExitCard

JUDGED = 5000
"""Validation images that fix a threshold and the shares of inputs that leave."""


def train(
    *,
    bar: Progress,
    network: str,
    data: str,
    after: tuple[str, ...],
    pool: int,
    weights: Path | None,
    epochs: int,
    seed: int,
    out: Path,
    limit: int | None,
    resume: bool,
    as_json: bool,
) -> None:
    """`inexact net train-exits`."""
    from inexact import nn, zoo
    from inexact.zoo.training import train_exits_to_file

    exits = nn.Exits(after=after, tau=1.0, pool=pool)
    model, images = zoo.network(network, data=data, weights=weights), zoo.data(data, "train", limit)
    zoo.check_compatible(model, images)
    task = bar.add_task(f"training exits of {network}", total=None)
    card = train_exits_to_file(
        model,
        exits,
        out,
        network=network,
        train=images,
        held=[zoo.data(data, split) for split in ("validation", "test")],
        epochs=epochs,
        seed=seed,
        resume=resume,
        progress=lambda what, done, total: bar.update(task, description=f"{what} for exits of {network}", completed=done, total=total),
    )
    bar.remove_task(task)
    if as_json:
        click.echo(json.dumps({"weights": str(out)} | card.to_json()))
    else:
        _show_card(card, out)


def _show_card(card: ExitCard, out: Path) -> None:
    click.echo(f"weights in {out}, card in {out.with_suffix('.json')}")
    for split, found in card.top1.items():
        each = ", ".join(f"{name} {top1:.2f}" for name, top1 in zip((*card.after, "the network"), found, strict=True))
        click.echo(f"{split}, top-1 % after {each}")


def given(original: torch_nn.Module, plan: Plan, folder: Path, *, trained: bool) -> torch_nn.Module:
    """The network with the exits its plan asks for; itself when it asks for none. trained: read their classifiers.

    folder: where the plan lies, from which it names the classifiers' file.
    """
    from inexact.nn import with_exits
    from inexact.zoo.training import with_trained_exits

    if plan.exits is None:
        return original
    if not trained:
        return with_exits(original, plan.exits.after, pool=plan.exits.pool)
    return with_trained_exits(original, plan.exits, folder=folder)


def settle(emulated: ApproxModel, original: torch_nn.Module, validation: Dataset) -> None:
    """Fix threshold and shares of a plan's exits; nothing without exits."""
    from inexact import nn

    if emulated.plan.exits is None:
        return
    budgeted = emulated.plan.exits.budget is not None
    nn.settle_exits(emulated, emulated.plan.exits, validation, float_top1=nn.evaluate(original, validation).top1 if budgeted else None)


def evaluated(emulated: ApproxModel, images: Dataset, batch_size: int) -> dict[str, Any]:
    """At every exit the threshold, the share of inputs that leave and how many of them are right; empty without exits."""
    from inexact import nn

    network = nn.exits_of(emulated)
    if network is None:
        return {}
    found = nn.routes(emulated, images, batch_size=batch_size)
    stops, rows = found.stops(network.thresholds), []
    for place, name in enumerate((*network.after, "end")):
        here = stops == place
        right = float(found.correct[here, place].double().mean()) if bool(here.any()) else None
        tau = network.thresholds[place] if place < len(network.after) else None
        rows.append({"after": name, "tau": tau, "share": float(here.double().mean()), "top1": None if right is None else 100 * right})
    return {"exits": {"leave": rows}}


def show(result: Mapping[str, Any]) -> None:
    """Print the table; nothing without exits."""
    if "exits" not in result:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("exit after", "threshold", "inputs that leave %", "top-1 % of them"):
        table.add_column(title, justify="left" if title == "exit after" else "right")
    for row in result["exits"]["leave"]:
        tau = "" if row["tau"] is None else "closed" if row["tau"] >= 1 else f"{row['tau']:g}"
        table.add_row(row["after"], tau, f"{100 * row['share']:.1f}", "" if row["top1"] is None else f"{row['top1']:.2f}")
    _tables.console().print(table)
