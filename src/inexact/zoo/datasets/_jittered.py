"""Synthetic sequences: still images under a shaking, noisy camera."""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from inexact.core.errors import DataError, SpecError, near
from inexact.core.registry import parse_call
from inexact.zoo.datasets._dataset import Dataset

NAMED = re.compile(r"(jittered(?:\(.*?\))?):(.+)")
"""`jittered(frames=16):fashion-mnist`"""


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """How a still image becomes a sequence of `frames` images: synthetic, no video.

    The first frame is the image. At each further one the camera rests with probability 1/2, else it moves by one pixel along one axis,
    never further than `shift` pixels from where it began; what comes in from outside repeats the border. noise: standard deviation of what
    every frame adds to each pixel anew, as a share of the range of the data. seed: of both.
    """

    frames: int = 16
    shift: int = 1
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("frames", 2), ("shift", 0), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise DataError(f"{name} of jittered data must be a whole number of at least {least}, not {value!r}")
        if isinstance(self.noise, bool) or not isinstance(self.noise, (int, float)) or not 0 <= self.noise <= 1:
            raise DataError(f"noise of jittered data must be a share between 0 and 1, not {self.noise!r}")

    def walk(self, count: int, generator: torch.Generator) -> Tensor:
        """int64 [count, frames, 2], displacement in rows and columns of every frame."""
        steps = torch.tensor([[0, 0], [0, 0], [0, 0], [0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
        drawn = steps[torch.randint(0, len(steps), (count, self.frames), generator=generator)]
        place, found = torch.zeros(count, 2, dtype=torch.int64), []
        for frame in range(self.frames):
            place = place if frame == 0 else (place + drawn[:, frame]).clamp(-self.shift, self.shift)
            found.append(place)
        return torch.stack(found, 1)

    def sequences(self, dataset: Dataset) -> Dataset:
        """Each image as `frames` successive ones with its label. Raises DataError for text."""
        images = dataset.images
        if images.ndim != 4:
            raise DataError(f"only images can be jittered; {dataset.name!r} holds text")
        generator = torch.Generator().manual_seed(self.seed)
        (count, _, height, width), margin = images.shape, self.shift
        padded = functional.pad(images, (margin, margin, margin, margin), mode="replicate") if margin else images
        walk = self.walk(count, generator).flatten(0, 1) + margin
        index = torch.arange(count).repeat_interleave(self.frames)[:, None, None]
        rows, columns = walk[:, :1] + torch.arange(height), walk[:, 1:] + torch.arange(width)
        found = padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
        low, high = float(images.min()), float(images.max())
        if self.noise:
            found = (found + torch.randn(found.shape, generator=generator) * (self.noise * (high - low))).clamp(low, high)
        labels = dataset.labels.repeat_interleave(self.frames)
        name = f"jittered({', '.join(f'{key}={value}' for key, value in vars(self).items())}):{dataset.name}"
        return Dataset(
            images=found,
            labels=labels,
            name=name,
            split=dataset.split,
            classes=dataset.classes,
            mirror=dataset.mirror,
            scaling=dataset.scaling,
        )

    def images_for(self, limit: int | None) -> int | None:
        """Images that give `limit` frames."""
        return None if limit is None else math.ceil(limit / self.frames)


def named_jitter(name: str) -> tuple[Jitter, str] | None:
    """(how, of what) for `jittered:NAME` and `jittered(frames=…,shift=…,noise=…,seed=…):NAME`; None for other names."""
    match = NAMED.fullmatch(name)
    if match is None:
        return None
    spec, known = match[1], tuple(Jitter.__dataclass_fields__)
    try:
        call = parse_call(spec)
        values = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SpecError, ValueError) as error:
        raise DataError(f"jittered data must be named as jittered(frames=16,shift=1):fashion-mnist, not {name!r}") from error
    for key in values:
        if key not in known:
            raise DataError(f"jittered data has no parameter {key!r}{near(key, known)} Parameters: {', '.join(known)}")
    if call.args:
        raise DataError(f"parameters of jittered data must have names, as in jittered(frames=16):fashion-mnist, not {name!r}")
    return Jitter(**values), match[2]


def jittered(dataset: Dataset, *, frames: int = 16, shift: int = 1, noise: float = 0.0, seed: int = 0) -> Dataset:
    """Synthetic sequences of a data set's images: each image as `frames` successive ones under a shaking camera; see `Jitter`."""
    return Jitter(frames=frames, shift=shift, noise=noise, seed=seed).sequences(dataset)
