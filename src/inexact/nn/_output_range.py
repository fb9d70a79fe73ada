"""A guard behind a layer: outputs outside the range that they had on calibration data do not pass."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn


@final
class OutputRange(nn.Module):
    """low, high: float32, broadcastable to the output. zero: whether what is outside becomes 0 instead of the bound."""

    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor, high: Tensor, *, zero: bool) -> None:
        super().__init__()
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.zero = zero

    def forward(self, x: Tensor) -> Tensor:
        """Shaped as x."""
        if self.zero:
            return torch.where((x < self.low) | (x > self.high), 0.0, x)
        return torch.minimum(torch.maximum(x, self.low), self.high)

    def extra_repr(self) -> str:
        """What happens outside."""
        return "zero" if self.zero else "clip"
