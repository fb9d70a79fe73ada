"""The affine map between real numbers and integer codes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Sizes that are not evenly spaced. codes, values: of each size, ascending from 0, the value in steps of the scale. limits: one fewer,
    the largest float32 number of steps that is rounded to each size but the last."""

    codes: tuple[int, ...]
    values: tuple[float, ...]
    limits: tuple[float, ...]

    @classmethod
    def of_integers(cls, sizes: tuple[int, ...]) -> Grid:
        """Codes that are their own values; halfway the smaller is taken."""
        return cls(sizes, tuple(map(float, sizes)), tuple((low + high) / 2 for low, high in pairwise(sizes)))

    def rounded(self, steps: Tensor) -> Tensor:
        """The code nearest to each number of steps, with its sign."""
        limits = torch.tensor(self.limits, dtype=torch.float32, device=steps.device)
        found = torch.bucketize(steps.float().abs().contiguous(), limits)
        return torch.tensor(self.codes, dtype=torch.float32, device=steps.device)[found].copysign(steps)

    def restored(self, codes: Tensor) -> Tensor:
        """The number of steps each code stands for, float32."""
        table = torch.zeros(self.codes[-1] + 1, dtype=torch.float32, device=codes.device)
        table[list(self.codes)] = torch.tensor(self.values, dtype=torch.float32, device=codes.device)
        return table[codes.abs().long()].copysign(codes)


@dataclass(frozen=True)
class Quantiser:
    """`code = clamp(round(x / scale) + zero_point, low, high)`, rounding half to even; `x ≈ (code - zero_point) * scale`.

    scale, zero_point: tensors broadcastable to the values: scalars, or [O, 1, …] per output channel. zero_point holds integers as float64.
    low, high: smallest and largest code. grid: the sizes there are, where they are not evenly spaced; then zero points are 0.
    """

    scale: Tensor
    zero_point: Tensor
    low: int
    high: int
    grid: Grid | None = None

    def of_channels(self, part: slice) -> Quantiser:
        """The quantiser of some output channels of a weight [O, …]."""
        if self.scale.dim() == 0:
            return self
        return Quantiser(self.scale[part], self.zero_point[part], self.low, self.high, self.grid)

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """The values between which codes are not clipped: half a step beyond the last ones, which still rounds to them."""
        if self.grid is not None:
            last = self.grid.values[-1] + (self.grid.values[-1] - self.grid.values[-2]) / 2
            return -last * self.scale, last * self.scale
        low, high = ((limit - self.zero_point) * self.scale for limit in (self.low - 0.5, self.high + 0.5))
        return low, high

    def codes(self) -> Tensor:
        """int64, every code there is, ascending."""
        if self.grid is None:
            return torch.arange(self.low, self.high + 1)
        return torch.tensor(sorted({-code for code in self.grid.codes} | set(self.grid.codes)), dtype=torch.int64)

    def quantise(self, values: Tensor) -> Tensor:
        """Integer codes of `values` as float32 numbers, same shape; exact because |code| < 2**16."""
        if self.grid is not None:
            return self.grid.rounded(values / self.scale)
        return torch.clamp(torch.round(values / self.scale) + self.zero_point, self.low, self.high)

    def dequantise(self, codes: Tensor) -> Tensor:
        """The numbers the codes stand for, float32."""
        return (codes - self.zero_point if self.grid is None else self.grid.restored(codes)) * self.scale
