"""Labelled images in memory, in an order of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from inexact.core.errors import DataError
from inexact.nn import Data, batches

BATCH = 100
"""Images a step: larger ones make temporaries the allocator maps anew each time, which costs a fifth of the time."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Labelled images in memory: float32 [N, …], int64 [N]."""

    images: Tensor
    labels: Tensor

    @classmethod
    def of(cls, data: Data) -> Pool:
        """Everything a data set, loader or list of batches holds. Raises DataError when it is empty or has no labels."""
        found = list(batches(data, BATCH))
        if not found or not sum(len(images) for images, _ in found):
            raise DataError("data must hold at least one image; it is empty")
        labels = [labels for _, labels in found if labels is not None]
        if len(labels) != len(found):
            raise DataError("a search needs labels: give a data set of (input, label), a pair (inputs, labels) or batches of such pairs")
        return cls(images=torch.cat([images for images, _ in found]), labels=torch.cat(labels).to(torch.int64))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def shuffled(self, seed: int) -> Pool:
        """The same images in an order drawn from `seed`: a prefix is then a fair sample, even of sorted data."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return Pool(images=self.images[order], labels=self.labels[order])

    def part(self, start: int, stop: int) -> Pool:
        """Images start..stop."""
        return Pool(images=self.images[start:stop], labels=self.labels[start:stop])

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(images, labels) in batches."""
        for start in range(0, len(self), BATCH):
            yield self.images[start : start + BATCH], self.labels[start : start + BATCH]

    def digest(self) -> str:
        """Hex SHA-256 of shape, pixels and labels."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        digest.update(self.images.contiguous().numpy().tobytes())
        digest.update(self.labels.contiguous().numpy().tobytes())
        return digest.hexdigest()
