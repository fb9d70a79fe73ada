"""What adders with speculated carries share: ETA-II, the almost correct adder and GeAr differ in two numbers and in the carry out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from inexact.circuits import Builder, Wires
from inexact.circuits.adders import ripple
from inexact.core.accumulation import BitRule
from inexact.units._base import Adder, Golden, Integers
from inexact.units._gates import GateCount, ripple_adder, total


@dataclass(frozen=True, kw_only=True)
class Segments:
    """Bits from `reach` on in segments of `step` bits; the carry into each is that of the `reach` bits below it, started at 0.

    short_carry: whether the carry out is a segment of its own (of the `reach` top bits), else it is the top segment's own.
    """

    width: int
    step: int
    reach: int
    short_carry: bool = False

    @property
    def starts(self) -> range:
        """First bits of the segments whose carry is speculated; the first segment's carry, of bits 0..reach-1, is exact."""
        return range(self.reach + self.step, self.width + self.short_carry, self.step)

    def sum(self, a: Integers, b: Integers) -> Integers:
        """Every segment from its own bits and the `reach` bits below."""
        first = self.reach + self.step
        result = self._window(a, b, 0, first)
        for start in self.starts:
            window = self._window(a, b, start - self.reach, start + self.step)
            result = result & (1 << start) - 1 | window >> self.reach << start
        return result

    def _window(self, a: Integers, b: Integers, low: int, high: int) -> Integers:
        mask = (1 << min(high, self.width) - low) - 1
        return (a >> low & mask) + (b >> low & mask)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """A ripple adder per segment and the bits below it; carries nobody reads are left out by the builder."""
        first = min(self.reach + self.step, self.width)
        out = ripple(b, x[:first], y[:first])
        for start in self.starts:
            low = start - self.reach
            window = ripple(b, x[low : start + self.step], y[low : start + self.step])
            out = (*out[:start], *window[self.reach :])
        return out

    def golden(self) -> Golden:
        """Closed form of the mean, the worst case and the probability of an error; `docs/derivations/speculated_carries.md`."""
        lost = len(self.starts)
        mean = ((1 << lost * self.step) - 1) / 2 if lost else 0.0
        apart = self.reach // self.step + 1
        worst = sum(1 << start for start in list(self.starts)[::-apart])
        wrong = float(1 - self._correct())
        return Golden(error_probability=wrong, mae=mean, mean_error=-mean, wce=worst, source="docs/derivations/speculated_carries.md")

    def _correct(self) -> Fraction:
        """Probability that no carry is lost, bit by bit from the top: `fresh` in all, `carried` given that this bit generates a carry."""
        fresh, carried = [Fraction(1)] * (self.width + 1), [Fraction(1)] * (self.width + 1)
        for bit in reversed(range(self.width)):
            start = (bit // self.step + 1) * self.step + self.reach  # of the segment that a run of propagating bits from here would rob
            carried[bit] = fresh[bit + 1]
            if start in self.starts:
                # the first bit that does not propagate kills or generates, each a quarter
                ends = (Fraction(fresh[stop + 1] + carried[stop], 4 * 2 ** (stop - bit - 1)) for stop in range(bit + 1, start))
                carried[bit] = sum(ends, Fraction(0))
            fresh[bit] = (3 * fresh[bit + 1] + carried[bit]) / 4
        return fresh[0]

    def gates(self) -> GateCount:
        """A ripple adder for the first segments and one for each further segment, with a carry chain over the bits below it."""
        parts = [ripple_adder(min(self.reach + self.step, self.width))]
        for start in self.starts:
            chain = carry_chain(self.reach)
            bits = min(self.step, self.width - start)
            if self.reach and bits > 0:
                parts.append(chain.then(GateCount(full_adder=bits, levels=2 * bits + 2)))
            else:
                parts.append(chain if self.reach else ripple_adder(bits))
        return total(parts)


@dataclass(frozen=True, kw_only=True)
class SegmentedAdder(Adder):
    """An adder that is nothing but segments."""

    @property
    @abstractmethod
    def segments(self) -> Segments:
        """Its segments."""

    @final
    def sum(self, a: Integers, b: Integers) -> Integers:
        """Segment by segment."""
        return self.segments.sum(a, b)

    @final
    def bit_rule(self) -> BitRule:
        """That of the segments."""
        return BitRule(kind="segmented", step=self.segments.step, reach=self.segments.reach)

    @final
    def golden(self) -> Golden:
        """Closed forms of speculated carries."""
        return self.segments.golden()

    @final
    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """A chain and a sum per segment."""
        return self.segments.place(b, x, y)

    @final
    def gates(self) -> GateCount:
        """A carry chain and a sum a segment; nothing is shared between them, and of the bits below a segment only the carry is formed."""
        return self.segments.gates()


def carry_chain(bits: int) -> GateCount:
    """Carry out of the sum of two numbers of `bits` bits: generate AND, propagate OR, AND and OR a bit from the second on."""
    if bits <= 0:
        return GateCount()
    return GateCount(and2=2 * bits - 1, or2=2 * (bits - 1), levels=1 + 2 * (bits - 1))
