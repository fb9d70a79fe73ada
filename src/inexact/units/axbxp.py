"""Ax-BxP: operands in blocks of bits, of whose products only some are formed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import ZERO, Builder, Wires
from inexact.circuits.multipliers import multiply
from inexact.circuits.words import leading_one, or_tree, select, shift_left
from inexact.core.errors import SpecError, near, require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._cells import dropped_value, expected_dropped
from inexact.units._gates import GateCount, array_gates, barrel_shifter, one_hot_select, ripple_adder, total
from inexact.units._gates import leading_one as leading_one_gates
from inexact.units._gates import or_tree as or_tree_gates
from inexact.units._wiring import add

MODES = ("static", "dynamic")


@multipliers.register("axbxp")
@final
@dataclass(frozen=True, kw_only=True)
class ApproximateBlocked(Multiplier):
    """Blocked multiplier: a = sum a_i 2**(block i), b likewise, and `kept` says which products a_i b_j are formed.

    mode: "static": the `kept` most significant pairs (i, j), by i + j; among pairs of one weight those nearest to i = j first, then the
    higher block of a. "dynamic": `kept` blocks of each operand, from its leading block that is not 0 down, and all their products;
    with `block=1` this is `dsm(m=kept)`. block: bits of a block, 1..8; the highest block may have fewer. kept: 1..pairs of blocks
    (static), 1..blocks of the wider operand (dynamic). width: bits of (a, b), unsigned; signed by `sign_magnitude`.
    Error: one-sided, never above exact; exact on zero.

    Reference: R. Elangovan, S. Jain, A. Raghunathan, "Ax-BxP: approximate blocked computation for precision-reconfigurable deep neural
    network acceleration", ACM TODAES, 2022, arXiv:2011.13000
    """

    mode: str = principal("static")
    block: int = principal(2)
    kept: int = principal(10)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """A mode; blocks; as many as there are."""
        if self.mode not in MODES:
            raise SpecError(f"mode must be static or dynamic, not {self.mode!r}{near(str(self.mode), MODES)}")
        require_range("block", self.block, 1, 8, bound="bits of a block")
        if self.mode == "static":
            require_range("kept", self.kept, 1, self.blocks[0] * self.blocks[1], bound="pairs of blocks")
        else:
            require_range("kept", self.kept, 1, max(self.blocks), bound="blocks of the wider operand")

    @property
    def blocks(self) -> tuple[int, int]:
        """Blocks of a and of b."""
        return -(-self.width[0] // self.block), -(-self.width[1] // self.block)

    def pairs(self) -> list[tuple[int, int]]:
        """Pairs of blocks in the order in which the static mode keeps them."""
        every = [(i, j) for i in range(self.blocks[0]) for j in range(self.blocks[1])]
        return sorted(every, key=lambda pair: (-sum(pair), abs(pair[0] - pair[1]), -pair[0]))

    def _cells(self) -> NDArray[np.bool_]:
        """Which cells (bit of a, bit of b) the static mode forms."""
        formed = np.zeros(self.blocks, dtype=bool)
        for pair in self.pairs()[: self.kept]:
            formed[pair] = True
        return formed.repeat(self.block, 0).repeat(self.block, 1)[: self.width[0], : self.width[1]]

    def product(self, a: Integers, b: Integers) -> Integers:
        """Sum of the kept blocks' products."""
        if self.mode == "static":
            return a * b - dropped_value(a, b, self._cells())
        return self._leading(a, self.width[0]) * self._leading(b, self.width[1])

    def _leading(self, x: Integers, width: int) -> Integers:
        """x without what is below its `kept` leading blocks."""
        shift = np.zeros_like(x)
        for place in self._places(width)[1:]:
            shift[x >> (place + (self.kept - 1) * self.block) > 0] = place
        return (x >> shift) << shift

    def _places(self, width: int) -> list[int]:
        """Lowest bits that kept blocks can begin at, ascending."""
        return [place * self.block for place in range(max(1, -(-width // self.block) - self.kept + 1))]

    def golden(self) -> Golden:
        """Operands of ones only lose most in either mode."""
        if self.mode == "static":
            mean = float(expected_dropped(self._cells()))
            return Golden(mae=mean, mean_error=-mean, wce=4 * mean, source="docs/derivations/cells.md")
        short = [((1 << bits) - 1) >> self._places(bits)[-1] << self._places(bits)[-1] for bits in self.width]
        wce = ((1 << self.width[0]) - 1) * ((1 << self.width[1]) - 1) - short[0] * short[1]
        return Golden(wce=wce, source="docs/derivations/segments.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The array of the formed cells; or selected blocks, an array, a shifter."""
        if self.mode == "static":
            return multiply(b, x, y, kind="dadda", kept=self._cells())
        (left, up), (right, more) = self._selected(b, x), self._selected(b, y)
        shift = add(b, up, more) if up and more else up or more
        return shift_left(b, multiply(b, left, right, kind="dadda"), shift, width=sum(self.width))

    def _selected(self, b: Builder, x: Wires) -> tuple[Wires, Wires]:
        """The kept blocks of x and, in binary, the place of their lowest bit."""
        places = self._places(len(x))
        if len(places) == 1:
            return x, ()
        lead = (self.kept - 1) * self.block
        busy = [or_tree(b, x[place + lead : place + lead + self.block]) for place in places[1:]]
        lines = leading_one(b, busy)
        words = [x[place : place + lead + self.block] for place in places]
        kept = select(b, (b.not_(or_tree(b, lines)), *lines), words)
        shift = [
            [line for line, place in zip(lines, places[1:], strict=True) if place >> bit & 1] for bit in range(places[-1].bit_length())
        ]
        return kept, tuple(or_tree(b, column) if column else ZERO for column in shift)

    def gates(self) -> GateCount:
        """The formed cells; or detectors and selectors, an array of the kept blocks and a shifter."""
        if self.mode == "static":
            return array_gates(self._cells())
        places = [self._places(bits) for bits in self.width]
        sizes = [min(bits, self.kept * self.block) for bits in self.width]
        front = total(self._selector(size, len(found)) for size, found in zip(sizes, places, strict=True))
        amounts = ripple_adder(max(found[-1] for found in places).bit_length()) if all(found[-1] for found in places) else GateCount()
        core = array_gates(np.ones(sizes, dtype=bool)) + amounts
        return front.then(core).then(barrel_shifter(sum(sizes), sum(found[-1] for found in places), keep=sum(self.width)))

    def _selector(self, size: int, choices: int) -> GateCount:
        if choices == 1:
            return GateCount()
        busy = total(or_tree_gates(self.block) for _ in range(choices - 1))
        return busy.then(leading_one_gates(choices)).then(one_hot_select(size, choices))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Both modes, blocks of 1 to 4 bits, blocks that do not divide the width, other widths."""
        static = [cls(kept=kept) for kept in (3, 6, 8, 10)]
        dynamic = [cls(mode="dynamic", block=block, kept=kept) for block, kept in ((2, 2), (2, 3), (3, 2), (4, 1))]
        mixed = [cls(block=4, kept=3), cls(block=3, kept=5, width=(7, 8)), cls(block=2, kept=5, width=(8, 4))]
        narrow = [cls(mode="dynamic", kept=1, width=(4, 4)), cls(mode="dynamic", kept=2, width=(8, 4)), cls(kept=3, width=(4, 4))]
        return [*static, *mixed, *dynamic, *narrow]
