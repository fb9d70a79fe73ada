"""Positive/negative multiplier: one circuit with an exact mode and two modes whose errors mirror each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ONE, ZERO, Builder, Wires
from inexact.circuits.multipliers import multiply
from inexact.core.errors import SpecError, near, require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, array_gates

MODES = ("exact", "positive", "negative")


@multipliers.register("pn")
@final
@dataclass(frozen=True, kw_only=True)
class PositiveNegative(Multiplier):
    """Reconfigurable multiplier: `a*b`, `a * (b with its lowest bits 1)` or `a * (b with its lowest bits 0)`, by a mode stored per weight.

    mode: exact, positive (error a (M - x)) or negative (error -a x), x the value of b's `bits` lowest bits, M = 2**bits - 1: the two
    have opposite means and equal spread, so that modes can be chosen to cancel over a filter. bits: 1..wb. width: bits of (a, b),
    unsigned. The published circuit ties wires to constants found by search and is not given; this is the same behaviour by
    perforated rows. `modes()` gives the three units of one circuit.
    Error: one-sided, by the mode's sign; exact on a = 0; b = 0 is wrong in the positive mode; rank 1.

    Reference: O. Spantidi, G. Zervakis, I. Anagnostopoulos, H. Amrouch, J. Henkel, "Positive/negative approximate multipliers for DNN
    accelerators", ICCAD 2021, doi:10.1109/ICCAD51958.2021.9643443
    """

    mode: str = principal("negative")
    bits: int = principal(3)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """A mode of the circuit; bits of b."""
        if self.mode not in MODES:
            raise SpecError(f"mode must be exact, positive or negative, not {self.mode!r}{near(str(self.mode), MODES)}")
        require_range("bits", self.bits, 1, self.width[1], bound="1..bits of b")

    def modes(self) -> dict[str, Multiplier]:
        """The three units of this circuit by mode."""
        return {mode: PositiveNegative(mode=mode, bits=self.bits, width=self.width) for mode in MODES}

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product with b's lowest bits as they are, 1 or 0."""
        low = np.int64((1 << self.bits) - 1)
        return a * {"exact": b, "positive": b | low, "negative": b & ~low}[self.mode]

    def golden(self) -> Golden:
        """The error is a product of two independent factors, as in perforation."""
        if self.mode == "exact":
            return Golden(mae=0, wce=0, error_rank=0, source="docs/derivations/cells.md")
        largest, most = (1 << self.bits) - 1, (1 << self.width[0]) - 1
        mean = most / 2 * largest / 2
        return Golden(
            error_probability=(1 - 2.0 ** -self.width[0]) * (1 - 2.0**-self.bits),
            mae=mean,
            mean_error=mean if self.mode == "positive" else -mean,
            wce=most * largest,
            error_rank=1,
            source="docs/derivations/cells.md",
        )

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The array in this mode, its constants worked in."""
        low = {"exact": y[: self.bits], "positive": (ONE,) * self.bits, "negative": (ZERO,) * self.bits}[self.mode]
        return multiply(b, x, (*low, *y[self.bits :]), kind="dadda")

    def place_switched(self, b: Builder, x: Wires, y: Wires, code: Wires) -> Wires:
        """The whole array behind an OR and an AND for each switched bit of b; code 1 is positive, 2 negative."""
        up, kept = code[0], b.not_(code[1])
        low = [b.and_(b.or_(wire, up), kept) for wire in y[: self.bits]]
        return multiply(b, x, (*low, *y[self.bits :]), kind="dadda")

    def gates(self) -> GateCount:
        """The whole array (every mode is in it) and a gate per switched bit of b; what a mode saves is switching, not area."""
        return GateCount(and2=self.bits, or2=self.bits, levels=2).then(array_gates(np.ones(self.width, dtype=bool)))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """All modes, other widths."""
        modes = [cls(mode=mode) for mode in MODES]
        return [*modes, cls(mode="positive", bits=4), cls(width=(8, 4)), cls(mode="positive", bits=1, width=(4, 4))]
