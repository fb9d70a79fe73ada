"""Words of wires: extension, selection, shifters, detectors. Words are least significant bit first; counts of bits are exact."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import ONE, ZERO, Wires


def extend(word: Sequence[int], width: int, *, signed: bool = False) -> Wires:
    """`word` made `width` bits: cut, or extended by zeros (signed: by its top bit)."""
    top = word[-1] if signed and word else ZERO
    return (*word[:width], *[top] * (width - len(word)))


def or_tree(b: Builder, wires: Sequence[int]) -> int:
    """OR of all wires, balanced; 0 for none."""
    level = list(wires)
    while len(level) > 1:
        level = [b.or_(level[i], level[i + 1]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0] if level else ZERO


def and_word(b: Builder, word: Sequence[int], gate: int) -> Wires:
    """`word` where `gate` is 1, else 0."""
    return tuple(b.and_(wire, gate) for wire in word)


def not_word(b: Builder, word: Sequence[int]) -> Wires:
    """Bitwise inverse."""
    return tuple(b.not_(wire) for wire in word)


def mux_word(b: Builder, select: int, zero: Sequence[int], one: Sequence[int]) -> Wires:
    """`one` when select is 1, else `zero`; the shorter word is extended by zeros."""
    width = max(len(zero), len(one))
    return tuple(b.mux(select, p, q) for p, q in zip(extend(zero, width), extend(one, width), strict=True))


def leading_one(b: Builder, word: Sequence[int]) -> Wires:
    """One-hot: the highest 1 of `word`; all 0 for the word 0. A ladder of prefix ORs from the top."""
    lines, above = [ZERO] * len(word), ZERO
    for place in reversed(range(len(word))):
        lines[place] = b.and_(word[place], b.not_(above))
        above = b.or_(above, word[place])
    return tuple(lines)


def encode(b: Builder, lines: Sequence[int]) -> Wires:
    """Binary number of the one active line; 0 when none is."""
    bits = max(len(lines) - 1, 0).bit_length()
    return tuple(or_tree(b, [wire for number, wire in enumerate(lines) if (number >> bit) & 1]) for bit in range(bits))


def select(b: Builder, lines: Sequence[int], words: Sequence[Sequence[int]]) -> Wires:
    """The word whose one-hot line is active (0 when none is): AND-OR."""
    width = max(len(word) for word in words)
    gated = [and_word(b, extend(word, width), line) for line, word in zip(lines, words, strict=True)]
    return tuple(or_tree(b, column) for column in zip(*gated, strict=True))


def shift_left(b: Builder, word: Sequence[int], amount: Sequence[int], *, width: int | None = None) -> Wires:
    """`word << amount`, amount in binary: one row of multiplexers per bit of it. width: bits of the result (default: none is lost)."""
    current = tuple(word)
    for stage, choice in enumerate(amount):
        current = mux_word(b, choice, current, (*[ZERO] * (1 << stage), *current))
        if width is not None:
            current = current[:width]
    return current if width is None else extend(current, width)


def shift_right(b: Builder, word: Sequence[int], amount: Sequence[int]) -> Wires:
    """`word >> amount`, amount in binary, in as many bits as the word."""
    current = tuple(word)
    for stage, choice in enumerate(amount):
        current = mux_word(b, choice, current, extend(current[1 << stage :], len(current)))
    return current


def decode(b: Builder, number: Sequence[int]) -> Wires:
    """2**bits one-hot lines of a binary number."""
    lines: tuple[int, ...] = (1,)
    for bit in number:
        inverse = b.not_(bit)
        lines = (*(b.and_(line, inverse) for line in lines), *(b.and_(line, bit) for line in lines))
    return lines


def parity(b: Builder, wires: Sequence[int]) -> int:
    """XOR of all wires; 0 for none."""
    return functools.reduce(b.xor_, wires, ZERO)


def divide(b: Builder, numerator: Sequence[int], divisor: Sequence[int], fraction: int) -> Wires:
    """`floor(numerator * 2**fraction / divisor)` in `fraction` + 1 bits, for a numerator below twice the divisor: a restoring array.

    Every row takes the divisor from what is left, keeps the difference where it is not negative, and moves one place down.
    """
    width = max(len(numerator), len(divisor) + 1)
    left, taken = extend(numerator, width), not_word(b, extend(divisor, width))
    quotient: list[int] = []
    for _ in range(fraction + 1):
        difference, carry = [], ONE
        for p, q in zip(left, taken, strict=True):
            bit, carry = b.full_adder(p, q, carry)
            difference.append(bit)
        quotient.append(carry)
        # what is left is below the divisor, so its top bit is 0 and it may be doubled in place
        left = (ZERO, *mux_word(b, carry, left, difference)[:-1])
    return tuple(reversed(quotient))
