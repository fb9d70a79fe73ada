"""Stochastic multiplication: operands become bit streams, their AND is counted."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ONE, ZERO, Builder, Columns, Serial, Wires, add_columns
from inexact.circuits.columns import add_constant
from inexact.circuits.words import not_word
from inexact.core.errors import SpecError, near, require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, counted
from inexact.units._wiring import add

GENERATORS = ("counter", "lfsr")
TAPS = {
    2: 0x3,
    3: 0x6,
    4: 0xC,
    5: 0x14,
    6: 0x30,
    7: 0x60,
    8: 0xB8,
    9: 0x110,
    10: 0x240,
    11: 0x500,
    12: 0xE08,
    13: 0x1C80,
    14: 0x3802,
    15: 0x6000,
    16: 0xD008,
}
"""Feedback taps of maximal-length linear feedback shift registers (Galois form, shift right) by length."""

MAX_UNROLLED = 12
"""Greatest length with all bits of the streams side by side: 4,096 ANDs."""


MAX_HELD = 24
"""Bits of the joint counts that are held: 2**24 numbers."""


@multipliers.register("stochastic")
@final
@dataclass(frozen=True, kw_only=True)
class Stochastic(Multiplier):
    """Unipolar stochastic multiplier: stream bit t of an operand x of n bits is 1 when x > r(t), r(t) a number of n bits; the ones of
    the AND of both streams, times 2**(wa+wb) / 2**length, are the product (rounded to the nearest, ties up).

    length: log2 of the stream's bits, 1..16. generator: "counter", a's r counts up and b's is the same count with reversed bits (van
    der Corput): a low-discrepancy pair; or "lfsr", two maximal-length shift registers of wa and wb bits, b's read with its bits
    reversed. seed: start state of b's register, 1..2**wb-1 (a's starts at 1), for lfsr only. Deterministic; the streams belong to
    the unit, not to the operands. width: bits of (a, b), unsigned. `circuit()` has the bits of the streams side by side (up to 4,096)
    and a tree that counts them: one product a cycle. `serial()` is the field's circuit, 2**length cycles a product.
    Error: two-sided, for counter never below exact at full length; a few 2**(-length/2) of full scale for lfsr, about
    length * 2**-length for counter; exact on zero.

    Reference: B. R. Gaines, "Stochastic computing systems", Advances in Information Systems Science 2, 1969 (lfsr); H. Sim, J. Lee,
    "A new stochastic computing multiplier with application to deep convolutional neural networks", DAC 2017,
    doi:10.1145/3061639.3062290 (counter)
    """

    widest: ClassVar[int] = 16  # registers and the joint histogram of their numbers

    length: int = principal(8)
    generator: str = principal("counter")
    seed: int = 1
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Stream length, generator, a start state that is not the register's dead one."""
        require_range("length", self.length, 1, 16, bound="log2 of the stream's bits")
        if self.generator not in GENERATORS:
            raise SpecError(f"generator must be counter or lfsr, not {self.generator!r}{near(str(self.generator), GENERATORS)}")
        held = sum(min(self.length, bits) for bits in self.width)
        if held > MAX_HELD:
            raise SpecError(f"streams must have fewer distinct bits: min(length, bits) of a and b together at most {MAX_HELD}, not {held}")
        require_range("seed", self.seed, 1, (1 << self.width[1]) - 1, bound="1..2**(bits of b)-1, a register of zeros stays so")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Ones of the AND of the operands' streams, scaled."""
        ones = self._ones(a, b)
        scale = sum(self.width) - self.length
        return ones << scale if scale >= 0 else (ones + (1 << (-scale - 1))) >> -scale

    def _ones(self, a: Integers, b: Integers) -> Integers:
        """Ones of the AND of both streams."""
        first, second, joint = _joint_ones(self.length, self.generator, self.seed, self.width)
        return np.asarray(joint[np.searchsorted(first, a), np.searchsorted(second, b)])

    def golden(self) -> Golden | None:
        """Of counters with as many stream bits as values of each operand: never below exact, length / 8 ones too many in the mean."""
        if self.generator != "counter" or self.width != (self.length, self.length):
            return None
        mean = self.length * 2**self.length / 8
        return Golden(mae=mean, mean_error=mean, source="docs/derivations/streams.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """Every bit of the streams as gates: operands against constants, ANDs, one tree of adders; none for more than 4,096 bits."""
        if self.length > MAX_UNROLLED:
            return None
        scale = sum(self.width) - self.length
        half = 1 << (-scale - 1) if scale < 0 else 0
        most = int(self._ones(*(np.array((1 << bits) - 1) for bits in self.width)))
        columns: Columns = [[] for _ in range((most + half).bit_length())]
        streams = _numbers(self.length, self.generator, self.seed, self.width)
        for first, second in zip(*(numbers.tolist() for numbers in streams), strict=True):
            columns[0].append(b.and_(_above(b, x, first), _above(b, y, second)))
        add_constant(columns, half)
        return (*[ZERO] * scale, *add_columns(b, columns)[max(-scale, 0) :])

    def serial(self) -> Serial:
        """The clocked circuit: a counter or two shift registers, a comparator an operand, one AND, a counter of the ones."""
        b = Builder(f"stochastic_{self.generator}_step")
        x, y = b.input("a", self.width[0]), b.input("b", self.width[1])
        lfsr, scale = self.generator == "lfsr", sum(self.width) - self.length
        names = zip("pq", self.width, strict=True) if lfsr else [("t", self.length)]
        held = [b.input(name, bits) for name, bits in names]
        ones = b.input("ones", self.length + 1)
        if lfsr:
            # states are one above the numbers, so "above" becomes "not below"
            bits = [_not_below(b, x, held[0]), _not_below(b, y, held[1][::-1])]
        else:
            streams = (held[0], x), (held[0][::-1], y)
            bits = [b.not_(_not_below(b, _wired(time, len(operand)), operand)) for time, operand in streams]
        for name, word in zip("pq" if lfsr else "t", held, strict=True):
            b.output(f"{name}_next", _shifted(b, word) if lfsr else add(b, word, (ONE,))[: self.length])
        b.output("ones_next", add(b, ones, (b.and_(*bits),))[:-1])
        start = (1, self.seed) if lfsr else (0,)
        return Serial(
            step=b.build(),
            start=(*start, 1 << (-scale - 1) if scale < 0 else 0),
            cycles=1 << self.length,
            cut=max(-scale, 0),
            shift=max(scale, 0),
        )

    def gates(self) -> GateCount | None:
        """Those of the netlist with all bits side by side; None for longer streams."""
        circuit = self.circuit()
        return None if circuit is None else counted(circuit)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Short and full streams of both generators, another seed, other widths."""
        kinds = [cls(length=n, generator=g) for g in GENERATORS for n in (4, 6, 8)]
        return [*kinds, cls(generator="lfsr", seed=77), cls(width=(8, 4)), cls(length=4, width=(4, 4)), cls(length=10, width=(7, 7))]


@functools.lru_cache(maxsize=8)
def _joint_ones(
    length: int, generator: str, seed: int, width: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The numbers that occur in ra and in rb, in order, and how often both are among the first i and j of them, `[i, j]`."""
    places, levels = [], []
    for numbers in _numbers(length, generator, seed, width):
        found, place = np.unique(numbers, return_inverse=True)
        levels.append(found)
        places.append(place)
    counts = np.zeros((len(levels[0]) + 1, len(levels[1]) + 1), dtype=np.int64)
    np.add.at(counts, (places[0] + 1, places[1] + 1), 1)
    return levels[0], levels[1], counts.cumsum(axis=0).cumsum(axis=1)


def _numbers(length: int, generator: str, seed: int, width: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers ra(t) and rb(t) that a and b are compared with."""
    time = np.arange(1 << length, dtype=np.int64)
    if generator == "counter":
        first = _resized(time, length, width[0])
        return first, _resized(_reversed(time, length), length, width[1])
    return _register(width[0], 1, len(time)) - 1, _reversed(_register(width[1], seed, len(time)), width[1]) - 1


def _above(b: Builder, word: Wires, limit: int) -> int:
    """Whether a word is above a constant: from its lowest bit up, an AND where the constant has a 1, an OR where it has a 0."""
    found = ZERO
    for place, wire in enumerate(word):
        found = b.and_(wire, found) if limit >> place & 1 else b.or_(wire, found)
    return found


def _not_below(b: Builder, x: Wires, y: Wires) -> int:
    """Whether x >= y, words of one width: the carry of x + not y + 1."""
    return add(b, x, not_word(b, y), ONE)[-1]


def _wired(time: Wires, wanted: int) -> Wires:
    """`_resized` as wires."""
    spare = wanted - len(time)
    return time[max(-spare, 0) :] if spare <= 0 else (*[ZERO] * (spare - 1), ONE, *time)


def _shifted(b: Builder, state: Wires) -> Wires:
    """A shift register's next state."""
    taps = TAPS[len(state)]
    return tuple(b.xor_(wire, state[0]) if taps >> place & 1 else wire for place, wire in enumerate((*state[1:], ZERO)))


def _resized(x: NDArray[np.int64], bits: int, wanted: int) -> NDArray[np.int64]:
    """A number of `bits` bits as the leading part of one of `wanted` bits; missing low bits become the middle of the gap."""
    if bits >= wanted:
        return x >> (bits - wanted)
    return (x << (wanted - bits)) + (1 << (wanted - bits - 1))


def _reversed(x: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    return np.asarray(sum(((x >> i) & 1) << (bits - 1 - i) for i in range(bits)), dtype=np.int64)


def _register(bits: int, state: int, count: int) -> NDArray[np.int64]:
    """Successive states of a maximal-length shift register of `bits` bits: 1..2**bits-1 in a fixed order."""
    states = np.empty(count, dtype=np.int64)
    for step in range(count):
        states[step] = state
        state = (state >> 1) ^ (TAPS[bits] if state & 1 else 0)
    return states
