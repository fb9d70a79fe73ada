"""Non-dominated sets. All values: smaller is better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def non_dominated(values: ArrayLike) -> NDArray[np.bool_]:
    """bool [n]: which rows of [n, objectives] no other row dominates (no worse in everything, better in something).

    Of equal rows only the first is kept. Cost: n^2 comparisons.
    """
    points = np.asarray(values, dtype=float)
    keep = np.ones(len(points), dtype=bool)
    for index, point in enumerate(points):
        no_worse = (points <= point).all(axis=1)
        better = (points < point).any(axis=1)
        equal_before = no_worse & ~better & (np.arange(len(points)) < index)
        keep[index] = not ((no_worse & better).any() or equal_before.any())
    return keep


def spread(order: Sequence[float], count: int) -> list[int]:
    """At most `count` indices of `order`, evenly spaced by rank of value, both ends included."""
    ranked = np.argsort(np.asarray(order, dtype=float), kind="stable")
    if len(ranked) <= count:
        return [int(i) for i in ranked]
    chosen = np.unique(np.linspace(0, len(ranked) - 1, count).round().astype(int))
    return [int(ranked[i]) for i in chosen]
