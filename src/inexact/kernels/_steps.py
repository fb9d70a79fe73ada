"""Quantised values and their pass-through gradient in one pass each, for training on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from inexact.kernels import _dispatch
from inexact.kernels._table import compiled


def restored(x: Tensor, scale: float, codes: tuple[int, int, int]) -> Tensor:
    """`(clamp(round(x / scale) + zero, low, high) - zero) * scale`, float32 as x; codes: zero, low, high, whole numbers below 2**16."""
    x = x.detach().contiguous()
    out = torch.empty_like(x)
    compiled().restored(x.view(-1).numpy(), scale, codes, _dispatch.threads(), out.view(-1).numpy())
    return out


def inside(x: Tensor, gradient: Tensor, low: float, high: float) -> Tensor:
    """`gradient` where low <= x <= high, else zero; float32, shaped as both."""
    x, gradient = x.detach().contiguous(), gradient.detach().contiguous()
    out = torch.empty_like(x)
    compiled().inside(x.view(-1).numpy(), gradient.view(-1).numpy(), low, high, _dispatch.threads(), out.view(-1).numpy())
    return out
