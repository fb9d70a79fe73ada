"""Gates shared by units that look for the leading one: segments, normalised fractions and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inexact.circuits import ZERO, Builder, Wires
from inexact.circuits.adders import ripple
from inexact.circuits.multipliers import multiply
from inexact.circuits.words import and_word, encode, extend, leading_one, or_tree, select, shift_left, shift_right


def add(b: Builder, x: Sequence[int], y: Sequence[int], carry_in: int = ZERO) -> Wires:
    """Sum of two unsigned words, one bit longer than the longer of them."""
    width = max(len(x), len(y))
    return ripple(b, extend(x, width), extend(y, width), carry_in)


@dataclass(frozen=True)
class Segment:
    """`bits` from the leading one on, the binary number of places they were taken from, and whether that is not 0."""

    bits: Wires
    shift: Wires
    shortened: int


def leading_segment(b: Builder, x: Sequence[int], length: int) -> Segment:
    """The `length` bits of x from its leading one down; all of x when it has no more bits than that."""
    if len(x) <= length:
        return Segment(tuple(x), (), ZERO)
    lines = leading_one(b, x[length - 1 :])
    shortened = or_tree(b, lines[1:])
    places = [x[place : place + length] for place in range(len(lines))]
    return Segment(select(b, (b.not_(shortened), *lines[1:]), places), encode(b, lines), shortened)


def multiply_segments(b: Builder, x: Segment, y: Segment, width: int) -> Wires:
    """The segments' product moved back to where they were taken from."""
    shift = add(b, x.shift, y.shift) if x.shift and y.shift else x.shift or y.shift
    return shift_left(b, multiply(b, x.bits, y.bits, kind="dadda"), shift, width=width)


@dataclass(frozen=True)
class Logarithm:
    """x = 2**k (1 + fraction): the fraction's bits (len(x) - 1), the places `distance` x was shifted up to get its leading one to the top,
    and whether x is not 0. k = len(x) - 1 - distance.
    """

    fraction: Wires
    distance: Wires
    nonzero: int


def logarithm(b: Builder, x: Sequence[int]) -> Logarithm:
    """Detector, encoder and normalising shifter."""
    distance = encode(b, leading_one(b, x)[::-1])
    shifted = shift_left(b, x, distance, width=len(x))
    return Logarithm(shifted[:-1], distance, shifted[-1])


def kept_fraction(log: Logarithm, bits: int) -> Wires:
    """The fraction's highest `bits` bits, zeros appended when it has fewer."""
    return tuple(([ZERO] * bits + list(log.fraction))[-bits:]) if bits else ()


def antilogarithm(b: Builder, mantissa: Sequence[int], x: Logarithm, y: Logarithm, width: int, more: int = ZERO) -> Wires:
    """The word `mantissa`, whose top bit weighs 2**(width-1) for the largest exponents, moved down by both distances (and one if `more`).

    Bits below the result are cut off; the result is 0 when an operand is.
    """
    top = (*[ZERO] * (width - len(mantissa)), *mantissa[max(len(mantissa) - width, 0) :])
    lost = mantissa[: max(len(mantissa) - width, 0)]
    down = add(b, x.distance, y.distance, more)
    return and_word(b, shift_right(b, (*lost, *top), down)[len(lost) :], b.and_(x.nonzero, y.nonzero))


def add_fractions(b: Builder, x: Logarithm, y: Logarithm, bits: int) -> tuple[Wires, int]:
    """Sum of both fractions, cut to or padded to `bits` bits: the fractional part and the carry."""
    *total, carry = add(b, kept_fraction(x, bits), kept_fraction(y, bits))
    return tuple(total), carry
