"""Training the classifiers of early exits: the network stays as it is, so its features are computed once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inexact.core.errors import CheckpointError, DataError
from inexact.core.files import sha256_file, write_text
from inexact.nn import ExitHead, ExitNetwork, Exits, routes, with_exits
from inexact.zoo._weights import load_into, read_weights, write_weights
from inexact.zoo.datasets import Dataset
from inexact.zoo.training._checkpoint import Parts, checkpoint_of, restore, save

RATE, DECAY, BATCH = 2e-3, 1e-2, 128


@dataclass(frozen=True, kw_only=True)
class ExitCard:
    """What is known of trained classifiers. top1: percent by split, of each exit, the last being the network's own."""

    network: str
    data: str
    after: tuple[str, ...]
    pool: int
    images: int
    epochs: int
    seed: int
    top1: dict[str, list[float]]
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


Progress = Callable[[str, int, int], None]
"""Told (what is being done, steps done, steps in all)."""


@torch.no_grad()
def _features(net: ExitNetwork, images: Tensor, progress: Progress | None) -> list[Tensor]:
    found: list[list[Tensor]] = []

    def flat(head: nn.Module, features: Tensor) -> Tensor:
        assert isinstance(head, ExitHead)
        return head.flat(features)

    for start in range(0, len(images), 250):
        found.append(net.scores(images[start : start + 250], flat)[:-1])
        if progress is not None:
            progress("features", min(len(images), start + 250), len(images))
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


def train_exits(
    net: ExitNetwork,
    dataset: Dataset,
    *,
    epochs: int = 10,
    seed: int = 0,
    checkpoint: Path | None = None,
    identity: dict[str, Any] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> None:
    """Train the classifiers of a float32 network with exits on labelled images, in place; the network itself is frozen.

    AdamW under one cycle on cross entropy, each exit for itself. checkpoint: written after every epoch; with `resume` training continues
    from it and ends with the same weights. identity: what the checkpoint must belong to. Raises DataError, CheckpointError.
    """
    if epochs < 1:
        raise DataError(f"epochs must be at least 1, not {epochs}")
    features = _features(net.eval(), dataset.images, progress)
    steps = math.ceil(len(dataset) / BATCH)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for head in net.exits:
            assert isinstance(head, ExitHead)
            head.linear.reset_parameters()
    optimizer = torch.optim.AdamW(net.exits.parameters(), lr=RATE, weight_decay=DECAY)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=RATE, total_steps=max(2, epochs * steps), cycle_momentum=False)
    parts = Parts(model=net.exits, optimizer=optimizer, scheduler=scheduler, generator=torch.Generator().manual_seed(seed))
    own = {"exits": list(net.after), "images": len(dataset), "epochs": epochs, "seed": seed, **(identity or {})}
    done = restore(checkpoint, parts, identity=own)[0] if resume and checkpoint is not None and checkpoint.exists() else 0
    for epoch in range(done, epochs):
        _epoch(parts, features, dataset.labels)
        if checkpoint is not None:
            save(checkpoint, parts, identity=own, epoch=epoch + 1, seconds=0.0)
        if progress is not None:
            progress("epochs", epoch + 1, epochs)


def _epoch(parts: Parts, features: list[Tensor], labels: Tensor) -> None:
    heads = list(parts.model.children())
    for chosen in torch.split(torch.randperm(len(labels), generator=parts.generator), BATCH):
        loss = torch.zeros(())
        for head, values in zip(heads, features, strict=True):
            assert isinstance(head, ExitHead)
            loss = loss + nn.functional.cross_entropy(head.linear(values[chosen]), labels[chosen])
        if not bool(torch.isfinite(loss)):
            raise DataError(f"the training loss of the exits must stay finite; it became {float(loss)}: check the data")
        parts.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        parts.optimizer.step()
        parts.scheduler.step()


def train_exits_to_file(
    model: nn.Module,
    exits: Exits,
    out: Path,
    *,
    network: str,
    train: Dataset,
    held: list[Dataset],
    epochs: int = 10,
    seed: int = 0,
    resume: bool = False,
    progress: Progress | None = None,
) -> ExitCard:
    """Train the exits of a network and write `out` (safetensors) and its card, out.json; with `resume` from the checkpoint beside it."""
    net = with_exits(model, exits.after, pool=exits.pool, example=train.images[:1])
    checkpoint = checkpoint_of(out, resume=resume)
    identity = {"network": network, "data": train.name, "pool": exits.pool}
    train_exits(net, train, epochs=epochs, seed=seed, checkpoint=checkpoint, identity=identity, resume=resume, progress=progress)
    write_weights(out, net.exits)
    card = ExitCard(
        network=network,
        data=train.name,
        after=exits.after,
        pool=exits.pool,
        images=len(train),
        epochs=epochs,
        seed=seed,
        top1={images.split: [100 * value for value in routes(net, images).correct.double().mean(0).tolist()] for images in held},
        sha256=sha256_file(out),
    )
    write_text(out.with_suffix(".json"), json.dumps(card.to_json(), indent=2) + "\n")
    checkpoint.unlink(missing_ok=True)
    return card


def with_trained_exits(model: nn.Module, exits: Exits, *, folder: Path | None = None) -> ExitNetwork:
    """A network with the exits of a plan and their trained classifiers, read from `exits.weights`, relative to `folder`.

    Raises PlanError for modules that do not exist, CheckpointError for weights that are missing or do not fit.
    """
    net = with_exits(model, exits.after, pool=exits.pool)
    if not exits.weights:
        raise CheckpointError(
            "the exits of a plan must have trained classifiers: train them with inexact net train-exits, and give the file as weights in "
            "[plan.exits]"
        )
    path = Path(exits.weights) if folder is None else folder / exits.weights
    load_into(net.exits, read_weights(path), where=str(path))
    return net


def with_carded_exits(model: nn.Module, path: Path, *, network: str) -> ExitNetwork:
    """A network with the trained exits of a file that `inexact net train-exits` wrote, where its card says; all are open, at no threshold.

    network: the name of the model, as the card must have it. Raises CheckpointError for files that are missing or not of this network.
    """
    where = path.with_suffix(".json")
    try:
        card = json.loads(where.read_text(encoding="utf-8"))
        exits = Exits(after=tuple(card["after"]), tau=1.0, pool=card["pool"], weights=str(path))
        known, digest = card["network"], card["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{where} must be the card of trained exits, as inexact net train-exits writes it beside them") from error
    if known != network:
        raise CheckpointError(f"exits must be those of the network {network}; {path} was trained on {known}")
    if not path.is_file() or sha256_file(path) != digest:
        raise CheckpointError(f"{path} must be the file its card {where} is of; it is missing or another: train the exits again")
    return with_trained_exits(model, exits)
