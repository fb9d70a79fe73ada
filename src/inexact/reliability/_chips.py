"""A mean over chips with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from inexact.core.errors import FaultError


@final
@dataclass(frozen=True, kw_only=True)
class ChipMean:
    """mean of a figure over chips; low, high: its 95 % interval by Student's t over chips, which takes the images as given."""

    mean: float
    low: float
    high: float
    worst: float
    chips: int


def chip_mean(values: Sequence[float]) -> ChipMean:
    """Over at least two chips. worst: the largest, as of a drop."""
    from scipy.special import stdtrit

    if len(values) < 2:
        raise FaultError(f"an interval over chips needs at least 2 of them, not {len(values)}; raise their number")
    array = np.asarray(values, np.float64)
    half = float(stdtrit(len(array) - 1, 0.975)) * float(array.std(ddof=1)) / float(np.sqrt(len(array)))
    mean = float(array.mean())
    return ChipMean(mean=mean, low=mean - half, high=mean + half, worst=float(array.max()), chips=len(array))
