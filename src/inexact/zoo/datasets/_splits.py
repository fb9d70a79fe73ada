"""Which part of a user's data a split is: data of its own, a share of the training data, or a share of all."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import DataError

SPELLINGS = {"test": ("test",), "validation": ("validation", "val", "valid"), "train": ("train",)}
"""What the splits are called in files of others."""

SHARES = {"test": (0, 20), "validation": (20, 40), "train": (40, 100)}
"""Percent of a shuffled set that has no splits of its own. Fixed seed, so that test and validation never share an image."""

OF_TRAINING = {"validation": (0, 20), "train": (20, 100)}
"""Percent of a shuffled training split, where there is no validation split."""

WHOLE = (0, 100)


def part_of(split: str, own: Collection[str]) -> tuple[str, tuple[int, int]]:
    """(the split whose own data is read, "" for data without splits; percent of it). own: splits that have data of their own."""
    if split != "test" and "train" in own and "validation" not in own:
        return "train", OF_TRAINING[split]
    return (split, WHOLE) if own else ("", SHARES[split])


def share(count: int, span: tuple[int, int], split: str, name: str) -> NDArray[np.int64]:
    """Indices of `span` percent of `count` shuffled images, ascending. Raises DataError when that is none."""
    low, high = span
    order = np.random.default_rng(0).permutation(count)
    chosen = np.sort(order[count * low // 100 : count * high // 100])
    if not len(chosen):
        raise DataError(f"data must hold at least one image a split; {name} has {count} in all, which leaves the {split} split empty")
    return chosen
