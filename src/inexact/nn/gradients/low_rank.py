"""Low rank: the slope of the leading factors of the error table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from inexact.core.errors import require_range
from inexact.nn.gradients._base import Floats, Gradient, gradients
from inexact.nn.gradients.smoothed_difference import smoothed


@gradients.register("low_rank")
@final
@dataclass(frozen=True, kw_only=True)
class LowRank(Gradient):
    """U(a, b) = a b + sum_k u_k(a) v_k(b), so d U / d a = b + sum_k u_k'(a) v_k(b), with the `rank` leading singular factors kept.

    rank: 1..256; beyond the rank of the error table nothing is left out. half_window: each factor's slope is the central difference of
    its moving average over 2*half_window + 1 values, constant within half_window of an end.
    Costs rank more float32 backward passes, whatever the rank of the table.

    Reference: derived, docs/gradients.md; C. Eckart, G. Young, The approximation of one matrix by another of lower rank, Psychometrika
    1(3), 1936, doi:10.1007/BF02288367
    """

    rank: int = 2
    half_window: int = 16

    def __post_init__(self) -> None:
        require_range("rank", self.rank, 1, 256)
        require_range("half_window", self.half_window, 0, 2**15)

    def check(self, values: int) -> None:
        """Some value must have a whole window on both sides."""
        require_range("half_window", self.half_window, 0, (values - 3) // 2, bound=f"0..(values-3)//2 for an operand of {values} values")

    def slope(self, table: Floats, moving: Floats, fixed: Floats) -> Floats:
        """The other operand's value plus the slopes of the leading factors."""
        error = table - np.multiply.outer(moving, fixed)
        u, s, v = np.linalg.svd(error, full_matrices=False)
        u = u[:, : self.rank] * s[: self.rank]
        edge = self.half_window + 1
        slopes = np.pad(smoothed(u, self.half_window), ((edge, edge), (0, 0)), mode="edge")
        return np.asarray(fixed + slopes @ v[: self.rank], dtype=np.float64)
