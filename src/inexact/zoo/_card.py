"""The card beside trained weights: what they were trained on, how, and how well they do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from inexact.core.errors import CheckpointError
from inexact.core.files import sha256_file, write_text
from inexact.metrics import wilson
from inexact.zoo._modes import evaluating
from inexact.zoo.datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Top-1 in percent on `n` images with its 95 % Wilson interval."""

    split: str
    top1: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is known about a weights file.

    images: number of training images. seconds: time the training took on the machine it ran on. sha256: of the weights file.
    accuracy: measured in float32 after the last epoch; no epoch was chosen by it. recipe: as in `Recipe`.
    """

    network: str
    data: str
    images: int
    command: str
    epochs: int
    seed: int
    date: str
    seconds: float
    torch: str
    recipe: dict[str, Any]
    parameters: int
    accuracy: tuple[Accuracy, ...]
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Plain values; `accuracy` by split."""
        table = asdict(self)
        table["accuracy"] = {a.split: {k: v for k, v in asdict(a).items() if k != "split"} for a in self.accuracy}
        return table


def card_path(weights: Path) -> Path:
    """Where the card of a weights file lies."""
    return weights.with_suffix(".json")


def write_card(weights: Path, card: Card) -> None:
    """Write the card beside the weights, by atomic rename."""
    write_text(card_path(weights), json.dumps(card.to_json(), indent=2) + "\n")


def read_card(weights: Path) -> Card:
    """The card beside a weights file. Raises CheckpointError when it is unreadable or the weights are not those it describes."""
    path = card_path(weights)
    try:
        table = json.loads(path.read_text())
        accuracy = tuple(Accuracy(split=split, **values) for split, values in table.pop("accuracy").items())
        card = Card(accuracy=accuracy, **table)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"the card {path} must describe {weights.name}; it cannot be read: {error}") from error
    if sha256_file(weights) != card.sha256:
        raise CheckpointError(f"weights {weights} must have the SHA-256 of their card, {card.sha256}; they were changed or damaged")
    return card


def measure(model: nn.Module, dataset: Dataset, *, batch_size: int = 500) -> Accuracy:
    """Float32 top-1 of a classifier, in eval mode."""
    right = 0
    with evaluating(model):
        for images, labels in zip(torch.split(dataset.images, batch_size), torch.split(dataset.labels, batch_size), strict=True):
            right += int((model(images).argmax(1) == labels).sum())
    low, high = wilson(right, len(dataset))
    return Accuracy(split=dataset.split, top1=100 * right / len(dataset), low=100 * low, high=100 * high, n=len(dataset))
