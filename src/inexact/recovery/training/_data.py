"""Training images in memory, in an order and with shifts that depend on seed and step alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inexact import kernels
from inexact.core.errors import DataError
from inexact.nn import Data, batches, device_of
from inexact.zoo import Dataset
from inexact.zoo.training import augment

_PRIME = 1_000_003


@dataclass(frozen=True)
class Images:
    """inputs: [N, …]. labels: int64 [N]."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """Hex SHA-256 of shape, inputs and labels."""
        found = hashlib.sha256(repr((tuple(self.inputs.shape), str(self.inputs.dtype))).encode())
        for part in (self.inputs, self.labels):
            found.update(part.contiguous().numpy().data)
        return found.hexdigest()


def images_of(data: Data, what: str) -> Images:
    """All of `data` in memory. Raises DataError when it is empty or has no labels; what: its name in messages."""
    if isinstance(data, Dataset):
        return Images(data.images, data.labels)
    inputs, labels = [], []
    for batch, wanted in batches(data, 256):
        if wanted is None:
            raise DataError(f"{what} must have labels: give a data set or batches of (inputs, labels)")
        inputs.append(batch)
        labels.append(wanted.long())
    if not sum(map(len, labels)):
        raise DataError(f"{what} must hold at least one image; it is empty")
    return Images(torch.cat(inputs), torch.cat(labels))


def generator_of(seed: int, step: int) -> torch.Generator:
    """The generator of one step, or of one epoch's order (counted below zero)."""
    return torch.Generator().manual_seed((seed * _PRIME + step) % 2**63)


def order_of(images: Images, batch: int, *, seed: int, epoch: int) -> tuple[Tensor, ...]:
    """The images of each step of an epoch: indices, int64."""
    return torch.split(torch.randperm(len(images), generator=generator_of(seed, -1 - epoch)), batch)


def moved(inputs: Tensor, *, shift: int, mirror: bool, background: float, generator: torch.Generator) -> Tensor:
    """Images shifted and flipped at random; the same tensor when neither is asked for."""
    if not shift and not mirror:
        return inputs
    if inputs.dim() != 4:
        raise DataError(f"only images [N, C, H, W] can be shifted or mirrored, not inputs of shape {list(inputs.shape)}")
    return augment(inputs, shift=shift, mirror=mirror, background=background, generator=generator)


def arranged(inputs: Tensor) -> Tensor:
    """Images with the channels of each pixel side by side: convolutions and their gradients then are, which is faster on the CPU."""
    return kernels.channels_last(inputs) if inputs.dim() == 4 else inputs


@torch.no_grad()
def scores_of(model: nn.Module, inputs: Tensor) -> Tensor:
    """Scores [N, K] of a network in eval mode, on the CPU."""
    device = device_of(model)
    return torch.cat([model(part.to(device)).cpu() for part in _parts(inputs)])


def _parts(inputs: Tensor) -> Iterator[Tensor]:
    yield from torch.split(inputs, 250)
