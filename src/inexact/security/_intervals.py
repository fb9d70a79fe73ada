"""Means of repeated measurements with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from inexact.core.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The mean of `n` independent repetitions and its 95 % interval (Student); the interval is infinite for one repetition."""

    mean: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """A JSON object; an infinite interval is null."""
        known = math.isfinite(self.low)
        return {"mean": self.mean, "ci": [self.low, self.high] if known else None, "n": self.n}

    def shown(self, digits: int = 1) -> str:
        """As "12.4 [10.1, 14.7]"."""
        interval = f" [{self.low:.{digits}f}, {self.high:.{digits}f}]" if math.isfinite(self.low) else " (one repetition)"
        return f"{self.mean:.{digits}f}{interval}"


def mean_of(values: Sequence[float]) -> Mean:
    """Mean and 95 % Student interval. Raises DataError for no values."""
    if not values:
        raise DataError("a mean needs at least one repetition; there is none")
    from scipy import stats  # half a second to import

    array = np.asarray(values, dtype=np.float64)
    centre, n = float(array.mean()), len(array)
    half = math.inf if n == 1 else float(stats.t.ppf(0.975, n - 1)) * float(array.std(ddof=1)) / math.sqrt(n)
    return Mean(mean=centre, low=centre - half, high=centre + half, n=n)
