"""Smoothed difference: the table is smoothed along the operand that moves, then differenced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from inexact.core.errors import SpecError, require_range
from inexact.nn.gradients._base import Floats, Gradient, gradients

BORDERS = ("range", "nearest")


@gradients.register("smoothed_difference")
@final
@dataclass(frozen=True, kw_only=True)
class SmoothedDifference(Gradient):
    """Central difference of the moving average over 2*half_window + 1 neighbours; the borders, which have too few, by a rule.

    half_window: H, 0 (no smoothing) .. (values - 3) // 2 of the operand.
    borders: within H of an end, "range": (largest - least answer) / values, as published, with the sign of the rise from end to end
    (published for unsigned operands, whose products only rise); "nearest": the nearest slope inside, so that the exact table gives
    the straight-through gradient everywhere.
    For the exact table the slope inside is exactly the other operand.

    Reference: C. Meng et al., Gradient Approximation of Approximate Multipliers for High-Accuracy Deep Neural Network Retraining,
    DATE 2025
    """

    half_window: int = 16
    borders: str = "range"

    def __post_init__(self) -> None:
        require_range("half_window", self.half_window, 0, 2**15)
        if self.borders not in BORDERS:
            raise SpecError(f"borders must be one of {', '.join(BORDERS)}, not {self.borders!r}")

    def check(self, values: int) -> None:
        """Some value must have a whole window on both sides."""
        require_range("half_window", self.half_window, 0, (values - 3) // 2, bound=f"0..(values-3)//2 for an operand of {values} values")

    def slope(self, table: Floats, moving: Floats, fixed: Floats) -> Floats:
        """Smoothed central difference, borders by the rule."""
        result = np.empty_like(table)
        inside = smoothed(table, self.half_window)
        first = self.half_window + 1
        result[first : first + len(inside)] = inside
        low, high = inside[0], inside[-1]
        if self.borders == "range":
            low = high = (table.max(0) - table.min(0)) / len(moving) * np.sign(table[-1] - table[0])
        result[:first] = low
        result[first + len(inside) :] = high
        return result


def smoothed(table: Floats, half_window: int) -> Floats:
    """(S(x + 1) - S(x - 1)) / 2 with S the mean over x - H .. x + H, for H < x < X - 1 - H: float64 [X - 2H - 2, F]."""
    window = 2 * half_window + 1
    running = np.concatenate([np.zeros((1, table.shape[1])), np.cumsum(table, axis=0)])
    sums = running[window:] - running[:-window]  # integers, so exact: one division keeps the exact table's slope exact
    return np.asarray((sums[2:] - sums[:-2]) / (2 * window), dtype=np.float64)
