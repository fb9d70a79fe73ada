"""One training run: SGD or AdamW under one cycle, last epoch kept, nothing chosen by looking at validation or test images."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inexact.core.errors import DataError, SpecError
from inexact.zoo.datasets import Dataset
from inexact.zoo.networks import Architecture, Recipe
from inexact.zoo.training._augment import augment
from inexact.zoo.training._checkpoint import Parts, restore, save


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Told after every step: epoch and step (both from 1), how many there are, mean training loss of the epoch so far."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float


Progress = Callable[[Epoch], None]


def train(
    architecture: Architecture,
    dataset: Dataset,
    *,
    epochs: int,
    seed: int = 0,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> tuple[nn.Module, float]:
    """Train a fresh network on `dataset`; returns (module in eval mode, seconds of training).

    checkpoint: written after every epoch; with `resume` training continues from it and ends with the same weights as without the break.
    The global random state is left as it was. Raises DataError when data and network do not fit, CheckpointError for a foreign checkpoint.
    """
    if epochs < 1:
        raise SpecError(f"epochs must be at least 1, not {epochs}")
    _check_fit(architecture, dataset)
    recipe = architecture.recipe
    parts = _prepare(architecture, recipe, steps=epochs * math.ceil(len(dataset) / recipe.batch), seed=seed)
    identity = _identity(architecture, dataset, epochs, seed)
    done, seconds = 0, 0.0
    if resume and checkpoint is not None and checkpoint.exists():
        done, seconds = restore(checkpoint, parts, identity=identity)
    parts.model.train()
    for epoch in range(done, epochs):
        begin = time.perf_counter()
        _epoch(parts, dataset, recipe, progress, replace(_START, epoch=epoch + 1, epochs=epochs))
        seconds += time.perf_counter() - begin
        if checkpoint is not None:
            save(checkpoint, parts, identity=identity, epoch=epoch + 1, seconds=seconds)
    return parts.model.eval(), seconds


_START = Epoch(epoch=1, epochs=1, step=0, steps=1, loss=0.0)


def _identity(architecture: Architecture, dataset: Dataset, epochs: int, seed: int) -> dict[str, Any]:
    recipe = asdict(architecture.recipe)
    return {"network": architecture.spec, "data": dataset.name, "images": len(dataset), "epochs": epochs, "seed": seed, **recipe}


def _check_fit(architecture: Architecture, dataset: Dataset) -> None:
    if dataset.image_shape != architecture.input_shape:
        came = "x".join(map(str, dataset.image_shape))
        wanted = "x".join(map(str, architecture.input_shape))
        raise DataError(
            f"images for {architecture.spec} must be {wanted} (channels x height x width); {dataset.name!r} has {came}; "
            f"name the network {architecture.family_name}(channels={dataset.image_shape[0]},size={dataset.image_shape[1]})"
        )
    if len(dataset.classes) != architecture.classes:
        raise DataError(
            f"{architecture.spec} has {architecture.classes} outputs and {dataset.name!r} has {len(dataset.classes)} classes; "
            f"name the network {architecture.family_name}(classes={len(dataset.classes)})"
        )


def _prepare(architecture: Architecture, recipe: Recipe, *, steps: int, seed: int) -> Parts:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = architecture.build()
    if recipe.channels_last:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer: torch.optim.Optimizer
    if recipe.optimizer == "adamw":
        optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.peak_rate, weight_decay=recipe.weight_decay)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=recipe.peak_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=recipe.peak_rate, total_steps=max(steps, 2), cycle_momentum=False)
    return Parts(model=model, optimizer=optimizer, scheduler=scheduler, generator=torch.Generator().manual_seed(seed))


def _epoch(parts: Parts, dataset: Dataset, recipe: Recipe, progress: Progress | None, start: Epoch) -> None:
    order = torch.randperm(len(dataset), generator=parts.generator)
    background = float(dataset.images.min())
    steps = math.ceil(len(dataset) / recipe.batch)
    total = 0.0
    for step, chosen in enumerate(torch.split(order, recipe.batch), start=1):
        images = augment(
            dataset.images[chosen], shift=recipe.shift, mirror=dataset.mirror, background=background, generator=parts.generator
        )
        loss = _step(parts, images, dataset.labels[chosen], recipe)
        if not math.isfinite(loss):
            raise DataError(
                f"the training loss must stay finite; it became {loss} in epoch {start.epoch}; check the data or lower the rate"
            )
        total += loss
        if progress is not None:
            progress(replace(start, step=step, steps=steps, loss=total / step))


def _step(parts: Parts, images: Tensor, labels: Tensor, recipe: Recipe) -> float:
    if recipe.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=recipe.bfloat16):
        scores = parts.model(images)
    loss = nn.functional.cross_entropy(scores.float(), labels, label_smoothing=recipe.smoothing)
    parts.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    parts.optimizer.step()
    parts.scheduler.step()
    return float(loss.detach())
