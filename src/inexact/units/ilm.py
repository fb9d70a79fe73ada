"""Babic's iterative logarithmic multiplier: Mitchell's first terms, then the same on what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import Builder, Wires, words
from inexact.core.errors import require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, barrel_shifter, encoder, leading_one, ripple_adder
from inexact.units._log import floor_log2
from inexact.units._wiring import add


@multipliers.register("ilm")
@final
@dataclass(frozen=True, kw_only=True)
class IterativeLogarithmic(Multiplier):
    """Iterative logarithmic multiplier: with a = 2**ka + qa the basic block drops qa*qb; each correction block multiplies the rests.

    blocks: correction blocks, 0..min(width)-1 (the last of these is exact). width: bits of (a, b), unsigned.
    Error: one-sided, never above exact, relative error below 4**-(blocks+1); exact on zero and powers of two.

    Reference: Z. Babic, A. Avramovic, P. Bulic, "An iterative logarithmic multiplier", Microprocessors and Microsystems 35(1),
    2011, doi:10.1016/j.micpro.2010.07.001
    """

    blocks: int = principal(1)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """More blocks than bits would add nothing."""
        require_range("blocks", self.blocks, 0, min(self.width) - 1, bound="0..min(width)-1")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Sum of the basic blocks on ever smaller rests."""
        result = np.zeros_like(a)
        for _ in range(self.blocks + 1):
            leading_a, leading_b = np.int64(1) << floor_log2(a), np.int64(1) << floor_log2(b)
            block = a * leading_b + b * leading_a - leading_a * leading_b
            result = result + np.where((a == 0) | (b == 0), 0, block)
            a, b = np.where(a == 0, 0, a - leading_a), np.where(b == 0, 0, b - leading_b)
        return result

    def golden(self) -> Golden:
        """What is left after the blocks is the product of the rests; they are largest for operands of ones only."""
        rests = [(1 << (bits - 1 - self.blocks)) - 1 for bits in self.width]
        return Golden(wce=rests[0] * rests[1], source="docs/derivations/segments.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Per block two detectors and shifters and an adder; an adder joins the blocks."""
        result: Wires = ()
        for block in range(self.blocks + 1):
            lines = [words.leading_one(b, word) for word in (x, y)]
            rests = [
                tuple(b.and_(bit, b.not_(line)) for bit, line in zip(word, one, strict=True))
                for word, one in zip((x, y), lines, strict=True)
            ]
            # a * 2**kb + (b - 2**kb) * 2**ka, both 0 when an operand is
            left = words.shift_left(b, words.and_word(b, x, words.or_tree(b, y)), words.encode(b, lines[1]))
            right = words.shift_left(b, words.and_word(b, rests[1], words.or_tree(b, x)), words.encode(b, lines[0]))
            part = add(b, left, right)
            result = add(b, result, part)[: sum(self.width)] if block else part[: sum(self.width)]
            x, y = rests
        return result

    def gates(self) -> GateCount:
        """Per block two detectors, encoders and shifters, the exponents' adder and decoder, one adder; one adder joins blocks."""
        gates = GateCount()
        for block in range(self.blocks + 1):
            sizes = [bits - block for bits in self.width]
            front = GateCount()
            for bits, other in zip(sizes, reversed(sizes), strict=True):
                # the rest is the operand without its leading one: an AND with the inverted line per bit
                rest = GateCount(and2=bits - 1, inv=bits - 1, levels=1)
                front = front + leading_one(bits).then(encoder(bits) + rest).then(barrel_shifter(bits - 1, other - 1))
            power = ripple_adder(max(size - 1 for size in sizes).bit_length()).then(barrel_shifter(1, sum(sizes) - 2))
            summed = (power + ripple_adder(sum(sizes) - 1)).then(GateCount(or2=sum(sizes) - 2, levels=1))
            gates = gates + front.then(summed) if block == 0 else gates.then(front.then(summed)).then(ripple_adder(sum(self.width)))
        return gates

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """None, one and two correction blocks, other widths."""
        return [*(cls(blocks=n) for n in (0, 1, 2)), cls(width=(8, 4)), cls(width=(4, 4)), cls(blocks=0, width=(7, 7))]
