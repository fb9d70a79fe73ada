"""What a probe asks of the layer it looks at."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from inexact.nn._rule import Rule


class Probed(Protocol):
    """An emulated layer or product, as recoveries see it through a `Probe`."""

    rule: Rule

    def true_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, the exact sums of the probe's codes."""

    def column_sums(self, a: Tensor, column: Tensor) -> Tensor:
        """float64 integers, the sums of column[a] of every output."""

    def channels_first(self, values: Tensor) -> Tensor:
        """An output-shaped tensor as [O, everything else]."""
