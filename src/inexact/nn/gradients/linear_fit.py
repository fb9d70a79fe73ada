"""Linear fit: one slope for each value of the other operand, that of the least-squares line through its row of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from inexact.nn.gradients._base import Floats, Gradient, gradients


@gradients.register("linear_fit")
@final
@dataclass(frozen=True, kw_only=True)
class LinearFit(Gradient):
    """d U(a, b) / d a is the slope of the straight line nearest to U(., b): 256 + 256 numbers a unit, rank one.

    The whole row counts, so a unit that is off by a factor is seen and its steps are not. Costs one more float32 backward pass.

    Reference: the lre gradient of the ApproxTorch package, 2025, https://github.com/woshimark666/ApproxTorch
    """

    def slope(self, table: Floats, moving: Floats, fixed: Floats) -> Floats:
        """The same for every value of the operand that moves."""
        n, total = len(moving), moving.sum()
        spread = n * (moving @ moving) - total * total  # sums of integers, exact below 2**53
        slopes = (n * (moving @ table) - total * table.sum(0)) / spread
        return np.broadcast_to(slopes, table.shape)
