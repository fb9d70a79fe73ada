"""A labelled set of images in memory, checked when it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import data as torch_data

from inexact.core.errors import DataError

SPLITS = ("test", "validation", "train")
"""test: final figures only. validation: calibration and search. train: training; the three share no image."""


class Dataset(torch_data.Dataset[tuple[Tensor, int]]):
    """Normalised images and labels; item i is (float32 image [C, H, W], label).

    images: float32 [N, C, H, W], normalised; float32 signals [N, C, L] or features [N, F]; or int64 token ids [N, T], 0 where padded.
    labels: int64 [N], 0..len(classes)-1. classes: their names.
    mirror: whether a mirrored image keeps its label (training may then flip it).
    scaling: (mean, deviation) by which pixels 0..1 were normalised; None when that is not known, or there are none.
    Raises DataError when it is empty, lengths differ, a pixel is NaN or infinite, or a label is out of range.
    """

    def __init__(
        self,
        *,
        images: Tensor,
        labels: Tensor,
        name: str,
        split: str,
        classes: tuple[str, ...],
        mirror: bool = False,
        scaling: tuple[float, float] | None = None,
    ) -> None:
        _check(images, labels, name, split, len(classes))
        self.images = images
        self.labels = labels
        self.name = name
        self.split = split
        self.classes = classes
        self.mirror = mirror
        self.scaling = scaling

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """(image float32 [C, H, W], label)."""
        return self.images[index], int(self.labels[index])

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width); (channels, length) of signals, (features,), (tokens,) of text."""
        return tuple(self.images.shape[1:])

    @cached_property
    def sha256(self) -> str:
        """Hex SHA-256 of shape, normalised pixels (float32) and labels (int64), both little-endian in C order."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        kind = "<f4" if self.images.dtype.is_floating_point else "<i8"
        digest.update(np.ascontiguousarray(self.images.numpy(), dtype=kind).data)
        digest.update(np.ascontiguousarray(self.labels.numpy(), dtype="<i8").data)
        return digest.hexdigest()

    def first(self, limit: int | None) -> Dataset:
        """The first `limit` images (all when None or larger). Raises DataError for a limit below 1."""
        if limit is None:
            return self
        if limit < 1:
            raise DataError(f"limit must be at least 1 image, not {limit}")
        return Dataset(
            images=self.images[:limit],
            labels=self.labels[:limit],
            name=self.name,
            split=self.split,
            classes=self.classes,
            mirror=self.mirror,
            scaling=self.scaling,
        )


def _check(images: Tensor, labels: Tensor, name: str, split: str, classes: int) -> None:
    where = f"data {name!r}, split {split!r}"
    tokens = images.ndim == 2 and images.dtype == torch.int64
    if not tokens and (images.ndim < 2 or not images.dtype.is_floating_point):
        raise DataError(
            f"images must be floating point [N, C, H, W], signals [N, C, L], features [N, F] or int64 tokens [N, T]; {where} has "
            f"{str(images.dtype).removeprefix('torch.')} {list(images.shape)}"
        )
    if len(images) == 0:
        raise DataError(f"data must hold at least one image; {where} is empty")
    if labels.ndim != 1 or len(labels) != len(images):
        raise DataError(f"there must be one label an image; {where} has {len(images)} images and labels of shape {list(labels.shape)}")
    if not bool(torch.isfinite(images).all()):
        bad = int((~torch.isfinite(images).flatten(1).all(1)).nonzero()[0])
        raise DataError(f"pixels must be finite numbers; {where} holds NaN or infinity, first in image {bad}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise DataError(f"labels must be 0..{classes - 1} ({classes} classes); {where} has the label {low if low < 0 else high}")


def normalised(codes: NDArray[Any], mean: float, deviation: float) -> Tensor:
    """uint8 images [N, H, W] or [N, H, W, C] as float32 [N, C, H, W]: (code / 255 - mean) / deviation."""
    pixels = torch.from_numpy(np.array(codes)).to(torch.float32)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    return pixels.div_(255).sub_(mean).div_(deviation).contiguous()


Progress = Callable[[str, int, int], None]
"""Told (what is being done, steps done, steps in all)."""
