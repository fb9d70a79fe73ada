"""Gates of weight codes: a weight is recoded into few shifts of the activation, which are added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Builder, Columns, Wires, add_columns, synthesize
from inexact.circuits.columns import add_word
from inexact.circuits.logic import MAX_INPUTS
from inexact.circuits.words import and_word, extend, shift_left
from inexact.units._base import Integers


@dataclass(frozen=True)
class Term:
    """One signed power of two of every weight, in the order of the weights' bit patterns: 0 where there is none."""

    values: Integers


def place_terms(b: Builder, x: Wires, y: Wires, terms: Sequence[Term], *, signed: bool) -> Wires | None:
    """Sum of the terms times the operand x: per term the exponent, sign and presence as logic of y, a shifter and an inverter.

    None when y has more than 8 bits: the recoding is a truth table.
    """
    if len(y) > MAX_INPUTS:
        return None
    width = len(x) + len(y) + 1
    columns: Columns = [[] for _ in range(width)]
    for term in terms:
        size = np.abs(term.values)
        exponent = np.where(size > 0, np.frexp(np.maximum(size, 1).astype(np.float64))[1] - 1, 0)
        *place, negative, present = synthesize(b, [*_bits(exponent), *_bits(term.values < 0), *_bits(size > 0)], y)
        product = and_word(b, shift_left(b, extend(x, width, signed=signed), place, width=width), present)
        # -p = (not p) + 1
        add_word(columns, [b.xor_(wire, negative) for wire in product])
        columns[0].append(negative)
    return add_columns(b, columns, tree="dadda")


def _bits(values: NDArray[np.int64] | NDArray[np.bool_]) -> list[list[int]]:
    """Truth tables of the bits of numbers >= 0, at least one."""
    count = max(int(values.max()).bit_length(), 1)
    return [((values.astype(np.int64) >> bit) & 1).tolist() for bit in range(count)]
