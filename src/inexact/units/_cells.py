"""Products that drop partial-product cells: shared by column truncation, broken array, perforation and operand truncation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from inexact.units._base import Integers


def column_bound(width: tuple[int, int]) -> str:
    """How messages write the range of a column number."""
    return "0..2*width-1" if width[0] == width[1] else "0..sum(width)-1"


def dropped_value(a: Integers, b: Integers, kept: NDArray[np.bool_]) -> Integers:
    """Sum of the partial products a_i b_j 2**(i+j) over the cells (i, j) that are not kept; a, b are read as bit patterns."""
    lost = np.zeros_like(a)
    for j in range(kept.shape[1]):
        mask = sum(1 << i for i in range(kept.shape[0]) if not kept[i, j])
        if mask:
            lost += ((b >> j) & 1) * ((a & mask) << j)
    return lost


def expected_dropped(kept: NDArray[np.bool_]) -> Fraction:
    """Expected value of `dropped_value` under independent uniform operands: a quarter of the dropped weights."""
    wa, wb = kept.shape
    return Fraction(sum(1 << (i + j) for i in range(wa) for j in range(wb) if not kept[i, j]), 4)
