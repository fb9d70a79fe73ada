"""From a name to a weights file with its card."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from inexact.core.errors import DataError
from inexact.core.files import sha256_file
from inexact.zoo._card import Card, measure, write_card
from inexact.zoo._weights import write_weights
from inexact.zoo.datasets import Dataset, data
from inexact.zoo.networks import Architecture
from inexact.zoo.training._checkpoint import checkpoint_of
from inexact.zoo.training._train import Progress, train


def train_to_file(
    architecture: Architecture,
    name: str,
    out: Path,
    *,
    epochs: int,
    seed: int = 0,
    limit: int | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Card:
    """Train on the training split of data set `name` and write `out` (safetensors) and its card, out.json.

    A checkpoint lies beside `out` until both are written; with `resume` training continues from it.
    limit: only so many training images. Raises OutputError when the folder cannot be written, and what `train` raises.
    """
    checkpoint = checkpoint_of(out, resume=resume)
    images = data(name, "train", limit)
    model, seconds = train(architecture, images, epochs=epochs, seed=seed, checkpoint=checkpoint, resume=resume, progress=progress)
    write_weights(out, model)
    card = Card(
        network=architecture.spec,
        data=name,
        images=len(images),
        command=command(architecture, name, epochs=epochs, seed=seed, limit=limit),
        epochs=epochs,
        seed=seed,
        date=datetime.now(UTC).date().isoformat(),
        seconds=round(seconds, 1),
        torch=torch.__version__.partition("+")[0],
        recipe=asdict(architecture.recipe),
        parameters=sum(p.numel() for p in model.parameters()),
        accuracy=tuple(measure(model, held) for held in _held_out(name)),
        sha256=sha256_file(out),
    )
    write_card(out, card)
    checkpoint.unlink(missing_ok=True)
    return card


def command(architecture: Architecture, name: str, *, epochs: int, seed: int, limit: int | None = None) -> str:
    """The command line that trains the same weights again (same machine, same torch, one thread)."""
    file = f"{architecture.spec}.{Path(name).stem if '/' in name else name}.safetensors"
    words = ["inexact", "net", "train", "--network", architecture.spec, "--data", name, "--epochs", str(epochs), "--seed", str(seed)]
    words += [] if limit is None else ["--limit", str(limit)]
    return shlex.join([*words, "--threads", "1", "--out", file])


def _held_out(name: str) -> list[Dataset]:
    """The splits that were not trained on, as far as there are any."""
    found = []
    for split in ("validation", "test"):
        try:
            found.append(data(name, split))
        except DataError:
            continue
    return found
