"""Quantised values and their pass-through gradient in one pass each, for training on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from inexact.kernels import _dispatch
from inexact.kernels._memory_format import channels_last, is_channels_last
from inexact.kernels._table import compiled


def restored(x: Tensor, scale: float, codes: tuple[int, int, int]) -> Tensor:
    """`(clamp(round(x / scale) + zero, low, high) - zero) * scale`, float32, arranged as x.

    codes: zero, low, high, whole numbers below 2**16.
    """
    x = _dense(x, like=x)
    out = torch.empty_like(x)
    compiled().restored(_row(x), scale, codes, _dispatch.threads(), _row(out))
    return out


def inside(x: Tensor, gradient: Tensor, low: float, high: float) -> Tensor:
    """`gradient` where low <= x <= high, else zero; float32, shaped as both, arranged as x."""
    gradient, x = _dense(gradient, like=x), _dense(x, like=x)
    out = torch.empty_like(x)
    compiled().inside(_row(x), _row(gradient), low, high, _dispatch.threads(), _row(out))
    return out


def _dense(x: Tensor, *, like: Tensor) -> Tensor:
    x = x.detach()
    if is_channels_last(like):
        return x if is_channels_last(x) else channels_last(x)
    return x.contiguous()


def _row(x: Tensor) -> object:
    """The elements in the order they lie in memory."""
    return (x.permute(0, 2, 3, 1) if is_channels_last(x) else x).reshape(-1).numpy()
