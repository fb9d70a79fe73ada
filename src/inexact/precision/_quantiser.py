"""The affine map between real numbers and integer codes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Quantiser:
    """`code = clamp(round(x / scale) + zero_point, low, high)`, rounding half to even; `x ≈ (code - zero_point) * scale`.

    scale, zero_point: tensors broadcastable to the values: scalars, or [O, 1, …] per output channel. zero_point holds integers as float64.
    low, high: smallest and largest code. grid: the sizes that codes may have, ascending from 0, where not all may be; then the nearest one
    is taken, of two equally near the smaller, and zero points are 0.
    """

    scale: Tensor
    zero_point: Tensor
    low: int
    high: int
    grid: tuple[int, ...] | None = None

    def of_channels(self, part: slice) -> Quantiser:
        """The quantiser of some output channels of a weight [O, …]."""
        if self.scale.dim() == 0:
            return self
        return Quantiser(self.scale[part], self.zero_point[part], self.low, self.high, self.grid)

    def quantise(self, values: Tensor) -> Tensor:
        """Integer codes of `values` as float32 numbers, same shape; exact because |code| < 2**16."""
        if self.grid is not None:
            sizes = torch.tensor(self.grid, dtype=values.dtype, device=values.device)
            steps = values / self.scale
            return sizes[torch.bucketize(steps.abs().contiguous(), (sizes[1:] + sizes[:-1]) / 2)].copysign(steps) + self.zero_point
        return torch.clamp(torch.round(values / self.scale) + self.zero_point, self.low, self.high)

    def dequantise(self, codes: Tensor) -> Tensor:
        """The numbers the codes stand for, float32."""
        return (codes - self.zero_point) * self.scale
