"""Random shifts and mirrors of a batch, drawn from an explicit generator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def augment(images: Tensor, *, shift: int, mirror: bool, background: float, generator: torch.Generator) -> Tensor:
    """Each image of [N, C, H, W] moved by -shift..shift pixels on both axes and, with `mirror`, flipped with probability 1/2.

    Pixels that move in from outside are `background`. The input is not changed.
    """
    count, _, height, width = images.shape
    padded = functional.pad(images, (shift, shift, shift, shift), value=background)
    rows = torch.randint(0, 2 * shift + 1, (count, 1), generator=generator) + torch.arange(height)
    columns = torch.randint(0, 2 * shift + 1, (count, 1), generator=generator) + torch.arange(width)
    if mirror:
        flipped = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(flipped, columns.flip(1), columns)
    index = torch.arange(count)[:, None, None]
    # Advanced indices around a slice put the indexed axes first: [N, H, W, C].
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
