"""Rank correlation of quantities with one outcome, as of error metrics of units with what a network loses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST_RANKED = 8
"""Units a ranking needs: with fewer, a bootstrap over them says nothing."""


def spearman(values: NDArray[np.float64], outcome: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's rank correlation of every column of [n, m] with [n], ties at their mean rank; NaN for a column that does not vary."""
    from scipy.stats import rankdata  # half a second to import

    ranks, target = rankdata(values, axis=0), rankdata(outcome)
    ranks, target = ranks - ranks.mean(0), target - target.mean()
    power = np.sqrt(np.square(ranks).sum(0) * np.square(target).sum())
    found: NDArray[np.float64] = np.divide(target @ ranks, power, out=np.full(values.shape[1], np.nan), where=power > 0)
    return found
