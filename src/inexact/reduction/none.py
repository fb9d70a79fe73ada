"""No reduction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor

from inexact.reduction._base import Reduction, View, Work, reductions


@reductions.register("none")
@final
@dataclass(frozen=True, kw_only=True)
class NoReduction(Reduction):
    """Every product is formed and added."""

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """All of it."""
        return Work()
