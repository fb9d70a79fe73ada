"""Gates of weight codes: a weight is recoded into few shifts of the activation, which are added."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ZERO, Builder, Columns, Wires, add_columns, synthesize
from inexact.circuits.columns import add_word
from inexact.circuits.words import and_word, extend, shift_left
from inexact.units._base import Integers
from inexact.units._wiring import add


@dataclass(frozen=True)
class Term:
    """One signed power of two of every weight, in the order of the weights' bit patterns: 0 where there is none."""

    values: Integers


@dataclass(frozen=True)
class Power:
    """Wires of one signed power of two of a weight: its exponent in binary, whether it is negative, whether there is one."""

    exponent: Wires
    negative: int
    present: int


def place_terms(b: Builder, x: Wires, y: Wires, terms: Sequence[Term], *, signed: bool) -> Wires:
    """Sum of the terms times the operand x; the recoding of a weight y of at most 8 bits is a truth table."""
    return place_powers(b, x, (_looked_up(b, y, term) for term in terms), len(x) + len(y) + 1, signed=signed)


def _looked_up(b: Builder, y: Wires, term: Term) -> Power:
    size = np.abs(term.values)
    exponent = np.where(size > 0, np.frexp(np.maximum(size, 1).astype(np.float64))[1] - 1, 0)
    *place, negative, present = synthesize(b, [*_bits(exponent), *_bits(term.values < 0), *_bits(size > 0)], y)
    return Power(tuple(place), negative, present)


def place_powers(b: Builder, x: Wires, powers: Iterable[Power], width: int, *, signed: bool) -> Wires:
    """Sum of the powers times the operand x, in `width` bits: per power a shifter and an inverter."""
    columns: Columns = [[] for _ in range(width)]
    for power in powers:
        product = and_word(b, shift_left(b, extend(x, width, signed=signed), power.exponent, width=width), power.present)
        # -p = (not p) + 1
        add_word(columns, [b.xor_(wire, power.negative) for wire in product])
        columns[0].append(power.negative)
    return add_columns(b, columns, tree="dadda")


def magnitude(b: Builder, y: Wires, *, signed: bool) -> tuple[Wires, int]:
    """|y| and y's sign."""
    sign = y[-1] if signed else ZERO
    return add(b, [b.xor_(wire, sign) for wire in y], (ZERO,), sign)[: len(y)], sign


def _bits(values: NDArray[np.int64] | NDArray[np.bool_]) -> list[list[int]]:
    """Truth tables of the bits of numbers >= 0, at least one."""
    count = max(int(values.max()).bit_length(), 1)
    return [((values.astype(np.int64) >> bit) & 1).tolist() for bit in range(count)]
