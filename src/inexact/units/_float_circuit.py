"""Netlists of multipliers of number systems: operands are decoded, significands multiplied, shifted by the exponents, signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inexact.circuits import MAX_OUTPUT_BITS, ONE, ZERO, Builder, Circuit, Wires
from inexact.circuits.words import and_word, leading_one, mux_word, or_tree, select, shift_left
from inexact.core.numbers import Logarithmic, NumberSystem, Posit, SmallFloat
from inexact.units._wiring import add

Place = Callable[[Builder, Wires, Wires], Wires | None]
"""Significands x and y (the leading bit at the top; of logarithms the fractions) to their product."""


@dataclass(frozen=True)
class Operand:
    """negative, nonzero: wires. exponent: above the least of all. significand: `fraction_bits` + 1 bits, of logarithms the fraction."""

    negative: int
    nonzero: int
    exponent: Wires
    significand: Wires


def multiplier_circuit(name: str, system: NumberSystem, place: Place, *, exact: bool) -> Circuit | None:
    """The netlist: codes a, b to the product p, a fixed-point number in two's complement; None when `place` has no gates,
    and when p has more than 64 bits.

    One unit of p is the square of the least power of two of any number, times the weight of the lowest bit that `place` returns (of an
    exact float: the square of its least number). Codes of infinity and of what is no number are read as if the system had none. exact:
    subnormals need no normalising.
    """
    b = Builder(name)
    x, y = _operands(b, system, exact=exact)
    size = place(b, x.significand, y.significand)
    if size is None:
        return None
    spare = spare_bits(system, exact=exact)
    shifted = shift_left(b, size, add(b, x.exponent, y.exponent), width=len(size) + largest_shift(system, exact=exact))[spare:]
    gated = and_word(b, shifted, b.and_(x.nonzero, y.nonzero))
    negative = b.xor_(x.negative, y.negative)
    inverted = [b.xor_(wire, negative) for wire in (*gated, ZERO)]
    if len(inverted) > MAX_OUTPUT_BITS:
        return None
    b.output("p", add(b, inverted, (ZERO,), negative)[: len(inverted)], signed=True)
    return b.build()


def parts_circuit(name: str, system: NumberSystem, place: Place, *, exact: bool) -> Circuit | None:
    """The netlist of the product before it is shifted: significand s, exponent e, sign n; None when `place` has no gates.

    (-1)**n s 2**e in the steps of `multiplier_circuit`'s product, `spare_bits` of them below its lowest bit. s is 0 for a product of 0.
    """
    b = Builder(name)
    x, y = _operands(b, system, exact=exact)
    size = place(b, x.significand, y.significand)
    if size is None:
        return None
    b.output("s", and_word(b, size, b.and_(x.nonzero, y.nonzero)))
    b.output("e", add(b, x.exponent, y.exponent))
    b.output("n", (b.xor_(x.negative, y.negative),))
    return b.build()


def spare_bits(system: NumberSystem, *, exact: bool) -> int:
    """Lowest bits of a shifted product that are always 0: exponents of floats are at least 1 each, the least posit has no fraction."""
    if not exact:
        return 0
    return 2 if isinstance(system, SmallFloat) else 2 * system.fraction_bits


def _operands(b: Builder, system: NumberSystem, *, exact: bool) -> tuple[Operand, Operand]:
    words = b.input("a", system.width), b.input("b", system.width)
    x, y = (_decoded(b, system, word, exact=exact) for word in words)
    return x, y


def largest_shift(system: NumberSystem, *, exact: bool) -> int:
    """The largest sum of two exponents, as `Operand` counts them."""
    powers = system.decoded(system.patterns(np.arange(1, len(system.sizes)))).exponent
    if isinstance(system, SmallFloat) and exact:
        return int(2 * (powers.max() + system.bias))
    return int(2 * (powers.max() - powers.min()))


def _decoded(b: Builder, system: NumberSystem, word: Wires, *, exact: bool) -> Operand:
    if isinstance(system, Posit):
        return _posit(b, system, word)
    if isinstance(system, Logarithmic):
        return _logarithm(b, system, word)
    assert isinstance(system, SmallFloat)
    return (_plain_float if exact else _normalised_float)(b, system, word)


def _plain_float(b: Builder, system: SmallFloat, word: Wires) -> Operand:
    """A subnormal keeps its zeros in front; exponents are those stored, 1 of subnormals."""
    low, stored = word[: system.mantissa], word[system.mantissa : -1]
    hidden = or_tree(b, stored)
    exponent = (b.or_(stored[0], b.not_(hidden)), *stored[1:])
    return Operand(word[-1], ONE, exponent, (*low, hidden))


def _normalised_float(b: Builder, system: SmallFloat, word: Wires) -> Operand:
    m = system.mantissa
    low, stored = word[:m], word[m:-1]
    normal = or_tree(b, stored)
    lines = leading_one(b, low)
    raised = select(b, lines, [(*[ZERO] * (m - place), *low[:place]) for place in range(m)])
    places = select(b, lines, [b.constant(place, max(1, m.bit_length())) for place in range(m)])
    above = add(b, stored, b.constant(m - 1, max(1, (m - 1).bit_length())))
    return Operand(
        word[-1], b.or_(normal, or_tree(b, low)), mux_word(b, normal, places, above), (*mux_word(b, normal, raised, low)[:m], ONE)
    )


def _posit(b: Builder, system: Posit, word: Wires) -> Operand:
    n, es = system.bits, system.es
    negative = word[-1]
    body = add(b, [b.xor_(wire, negative) for wire in word[:-1]], (ZERO,), negative)[: n - 1]
    first = body[-1]
    run = [b.xor_(wire, first) for wire in body[:-1]]  # its leading one ends the run
    lines = leading_one(b, run)
    rest = select(b, lines, [(*[ZERO] * (n - 3 - place), *body[:place]) for place in range(n - 2)])
    bits = (2 * n - 4).bit_length()
    ends = [*(b.and_(line, b.not_(first)) for line in lines), *(b.and_(line, first) for line in lines)]
    full = b.and_(first, b.not_(or_tree(b, lines)))
    regimes = [*range(n - 2), *(2 * n - 5 - place for place in range(n - 2)), 2 * n - 4]  # above the least one
    regime = select(b, (*ends, full), [b.constant(value, bits) for value in regimes])
    split = len(rest) - es
    return Operand(negative, or_tree(b, body), (*rest[split:], *regime), (*rest[:split], ONE))


def _logarithm(b: Builder, system: Logarithmic, word: Wires) -> Operand:
    size = word[:-1]
    return Operand(word[-1], or_tree(b, size), size[system.broken :], size[: system.broken])
