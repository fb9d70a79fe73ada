"""Gates shared by the non-linear units: stored numbers, lines between them, rounding and saturation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ZERO, Builder, Columns, Wires, add_columns, synthesize
from inexact.circuits.columns import add_constant, add_word
from inexact.circuits.multipliers import multiply
from inexact.circuits.words import extend, or_tree, shift_right
from inexact.units._wiring import add


def numbers(b: Builder, values: NDArray[np.int64], bits: int, index: Sequence[int]) -> Wires:
    """A table of numbers as logic of the index, two's complement in `bits` bits."""
    return synthesize(b, [[(int(value) >> bit) & 1 for value in values] for bit in range(bits)], index)


def line(b: Builder, start: Wires, slope: Wires, rest: Wires, bits: int) -> Wires:
    """`start + slope * rest / 2**len(rest)`, rounded to nearest (ties up), in `bits` bits; slope is two's complement."""
    if not rest:
        return extend(start, bits)
    places = len(rest)
    columns: Columns = [[] for _ in range(bits + places)]
    add_word(columns, start, places)
    add_word(columns, extend(multiply(b, slope, (*rest, ZERO), signed=True), bits + places, signed=True))
    add_constant(columns, 1 << (places - 1))
    return add_columns(b, columns)[places:]


def rounded_right(b: Builder, word: Wires, least: int, more: Wires) -> Wires:
    """An unsigned word over 2**(least + more), rounded to nearest (ties up): least is a number of any sign, `more` binary wires."""
    padded = (*[ZERO] * max(0, 1 - least), *word)[max(0, least - 1) :]
    moved = shift_right(b, padded or (ZERO,), more)
    return add(b, moved[1:], moved[:1])


def saturate(b: Builder, word: Wires, width: int, *, signed: bool) -> Wires:
    """A two's complement word in `width` bits: the greatest number when it is too large; unsigned, 0 when it is negative.

    A signed word must not be below the least number.
    """
    word = extend(word, max(len(word), width + 1), signed=True)
    negative, kept = word[-1], width - int(signed)
    positive = b.not_(negative)
    over = b.and_(or_tree(b, word[kept:-1]), positive)
    low = tuple(b.or_(wire, over) for wire in word[:kept])
    return (*low, negative) if signed else tuple(b.and_(wire, positive) for wire in low)
