"""How images lie in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def is_channels_last(x: Tensor) -> bool:
    """Whether the channels of each pixel of [N, C, H, W] lie side by side; where both orders are the same, whether the strides say so."""
    if x.dim() != 4 or not x.is_contiguous(memory_format=torch.channels_last):
        return False
    return not x.is_contiguous() or (x.shape[1] == x.stride(1) == 1 and x.shape[2] * x.shape[3] > 1)


def channels_last(x: Tensor) -> Tensor:
    """Images [N, C, H, W] with the channels of each pixel side by side; images of one channel get the strides that say so."""
    if x.shape[1] != 1:
        return x.contiguous(memory_format=torch.channels_last)
    height, width = x.shape[2:]
    return x.contiguous().as_strided(x.shape, (height * width, 1, width, 1))
