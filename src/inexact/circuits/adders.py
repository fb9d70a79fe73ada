"""Exact adders: each adds two words of equal length and a carry into one bit more.

A generator is a function `(builder, x, y, carry_in=ZERO) -> wires`, so that approximate units reuse it; `ADDERS` names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from inexact.circuits._builder import Builder
from inexact.circuits._circuit import ONE, ZERO, Circuit, Wires
from inexact.circuits.words import extend, mux_word, not_word
from inexact.core.errors import CircuitError, UnknownNameError, near, require_range

MAX_WIDTH = 32


class AdderGenerator(Protocol):
    """Places an adder of two equally long words; returns the sum, one bit longer, least significant first."""

    def __call__(self, b: Builder, x: Sequence[int], y: Sequence[int], carry_in: int = ZERO) -> Wires:
        """Place it."""


def ripple(b: Builder, x: Sequence[int], y: Sequence[int], carry_in: int = ZERO) -> Wires:
    """Ripple-carry adder: one full adder a bit; area-minimal, delay linear."""
    carry, out = carry_in, list[int]()
    for p, q in zip(x, y, strict=True):
        total, carry = b.full_adder(p, q, carry)
        out.append(total)
    return (*out, carry)


def carry_select(b: Builder, x: Sequence[int], y: Sequence[int], carry_in: int = ZERO) -> Wires:
    """Carry-select adder: blocks of growing length, each added for both carries, the right one selected.

    Reference: O. J. Bedrij, "Carry-select adder", IRE Transactions on Electronic Computers EC-11(3), 1962, doi:10.1109/IRETELC.1962.5407919
    """
    carry, out, start, length = carry_in, list[int](), 0, 2
    while start < len(x):
        p, q = x[start : start + length], y[start : start + length]
        block = ripple(b, p, q, carry) if start == 0 else mux_word(b, carry, ripple(b, p, q, ZERO), ripple(b, p, q, ONE))
        out.extend(block[:-1])
        carry = block[-1]
        start += length
        length += int(start > 2)
    return (*out, carry)


def kogge_stone(b: Builder, x: Sequence[int], y: Sequence[int], carry_in: int = ZERO) -> Wires:
    """Kogge-Stone prefix adder: depth log2(n), fan-out 2, n log2(n) prefix cells.

    Reference: P. M. Kogge, H. S. Stone, "A parallel algorithm for the efficient solution of a general class of recurrence equations",
    IEEE Transactions on Computers C-22(8), 1973, doi:10.1109/TC.1973.5009159
    """
    generate, propagate = _signals(b, x, y, carry_in)
    half = list(propagate)
    step = 1
    while step < len(x):
        before = list(zip(generate, propagate, strict=True))
        for i in range(step, len(x)):
            generate[i], propagate[i] = _join(b, before[i], before[i - step])
        step *= 2
    return _sums(b, half, generate, carry_in)


def brent_kung(b: Builder, x: Sequence[int], y: Sequence[int], carry_in: int = ZERO) -> Wires:
    """Brent-Kung prefix adder: depth 2 log2(n) - 1, about 2n prefix cells.

    Reference: R. P. Brent, H. T. Kung, "A regular layout for parallel adders", IEEE Transactions on Computers C-31(3), 1982,
    doi:10.1109/TC.1982.1675982
    """
    generate, propagate = _signals(b, x, y, carry_in)
    half = list(propagate)
    steps = [1 << k for k in range(max(len(x) - 1, 0).bit_length())]
    up = [(i, i - step) for step in steps for i in range(2 * step - 1, len(x), 2 * step)]
    down = [(i, i - step) for step in reversed(steps) for i in range(3 * step - 1, len(x), 2 * step)]
    for i, j in up + down:
        generate[i], propagate[i] = _join(b, (generate[i], propagate[i]), (generate[j], propagate[j]))
    return _sums(b, half, generate, carry_in)


ADDERS: dict[str, AdderGenerator] = {"ripple": ripple, "carry_select": carry_select, "kogge_stone": kogge_stone, "brent_kung": brent_kung}
"""The exact adders by name."""


def subtract(b: Builder, x: Sequence[int], y: Sequence[int], *, adder: AdderGenerator = ripple) -> Wires:
    """`x - y` of two equally long words in one bit more, whose top bit is 1 when x >= y (no borrow)."""
    return adder(b, x, not_word(b, y), ONE)


def generator(adder: str | AdderGenerator) -> AdderGenerator:
    """The adder of a name of `ADDERS`; a generator is returned as it is."""
    if not isinstance(adder, str):
        return adder
    if adder not in ADDERS:
        raise UnknownNameError(f"no exact adder is called {adder!r}{near(adder, ADDERS)} Known: {', '.join(ADDERS)}")
    return ADDERS[adder]


def adder(width: int | tuple[int, int] = 8, *, kind: str | AdderGenerator = "ripple", signed: bool = False) -> Circuit:
    """An exact adder `y = a + b` as a circuit.

    width: bits of (a, b), 1..32 each; the sum has one bit more than the wider. kind: a name of `ADDERS` or a generator.
    """
    widths = operand_widths(width, low=1)
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", "adder")
    b = Builder(f"add_{name}_{widths[0]}x{widths[1]}")
    x, y = b.input("a", widths[0], signed=signed), b.input("b", widths[1], signed=signed)
    longest = max(widths)
    # with a sign the operands are extended by one bit first, and the carry out of it is dropped
    bits = longest + int(signed)
    total = generator(kind)(b, extend(x, bits, signed=signed), extend(y, bits, signed=signed))
    b.output("y", total[: longest + 1], signed=signed)
    return b.build()


def operand_widths(width: int | tuple[int, int], *, low: int = 2) -> tuple[int, int]:
    """(bits of a, bits of b); SpecError outside low..32."""
    widths = (width, width) if isinstance(width, int) else tuple(width)
    if len(widths) != 2:
        raise CircuitError(f"width must be a number of bits or a pair (bits of a, bits of b), not {width!r}")
    for bits in widths:
        require_range("width", bits, low, MAX_WIDTH, bound="bits of an operand")
    return widths[0], widths[1]


def _signals(b: Builder, x: Sequence[int], y: Sequence[int], carry_in: int) -> tuple[list[int], list[int]]:
    """Generate and propagate of every bit; the carry in is taken into bit 0."""
    pairs = [b.half_adder(p, q) for p, q in zip(x, y, strict=True)]
    generate, propagate = [carry for _, carry in pairs], [total for total, _ in pairs]
    if pairs:
        generate[0] = b.or_(generate[0], b.and_(propagate[0], carry_in))
    return generate, propagate


def _join(b: Builder, upper: tuple[int, int], lower: tuple[int, int]) -> tuple[int, int]:
    """The prefix cell: (G, P) of two neighbouring groups."""
    return b.or_(upper[0], b.and_(upper[1], lower[0])), b.and_(upper[1], lower[1])


def _sums(b: Builder, half: Sequence[int], carries: Sequence[int], carry_in: int) -> Wires:
    into = [carry_in, *carries]
    return (*(b.xor_(p, c) for p, c in zip(half, into, strict=False)), into[-1])
