"""Gates shared by the non-linear units: stored numbers and saturation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Builder, Wires, synthesize
from inexact.circuits.words import or_tree


def numbers(b: Builder, values: NDArray[np.int64], bits: int, index: Sequence[int]) -> Wires:
    """A table of numbers as logic of the index, two's complement in `bits` bits."""
    return synthesize(b, [[(int(value) >> bit) & 1 for value in values] for bit in range(bits)], index)


def saturate(b: Builder, word: Wires, width: int, *, signed: bool) -> Wires:
    """A two's complement word in `width` bits: the greatest number when it is too large; unsigned, 0 when it is negative.

    A signed word must not be below the least number.
    """
    negative, kept = word[-1], width - int(signed)
    positive = b.not_(negative)
    over = b.and_(or_tree(b, word[kept:-1]), positive)
    low = tuple(b.or_(wire, over) for wire in word[:kept])
    return (*low, negative) if signed else tuple(b.and_(wire, positive) for wire in low)
