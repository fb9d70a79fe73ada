"""Mitch-w: Mitchell's multiplier on operands shortened to their leading `w` bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from inexact.circuits import ONE, Builder, Wires
from inexact.core.errors import require_range
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, ripple_adder, total
from inexact.units._log import denormaliser, floor_log2, normaliser
from inexact.units._wiring import add_fractions, antilogarithm, logarithm
from inexact.units.mitchell import mitchell_product


@multipliers.register("mitchw")
@final
@dataclass(frozen=True, kw_only=True)
class MitchellTruncated(Multiplier):
    """Logarithmic multiplier that keeps `w` bits of an operand from its leading one on; zero operands are detected.

    w: kept bits, the leading one counted (so w - 1 fraction bits: this reading gives the published mean error of -5.9 % at w = 6),
    2..max(width); an operand of at most w bits is kept whole. width: bits of (a, b), unsigned. The paper's one's complement signs:
    `sign_magnitude(multiplier=mitchw(w=6),complement=ones)`.
    Error: one-sided, never above exact; exact on zero and powers of two.

    Reference: M. S. Kim, A. A. Del Barrio, L. T. Oliveira, R. Hermida, N. Bagherzadeh, "Efficient Mitchell's approximate log
    multipliers for convolutional neural networks", IEEE Transactions on Computers 68(5), 2019, doi:10.1109/TC.2018.2880742
    """

    w: int = principal(6)
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """`w` within 2..max(width)."""
        require_range("w", self.w, 2, max(2, *self.width), bound="2..max(width)")

    def product(self, a: Integers, b: Integers) -> Integers:
        """Mitchell's product of the shortened operands."""
        return mitchell_product(self._shortened(a), self._shortened(b))

    def _shortened(self, x: Integers) -> Integers:
        drop = np.maximum(floor_log2(x) - (self.w - 1), 0)
        return (x >> drop) << drop

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """Mitchell's gates with an adder of w - 1 bits."""
        p, q = logarithm(b, x), logarithm(b, y)
        fraction, carry = add_fractions(b, p, q, min(self.w, max(self.width)) - 1)
        return antilogarithm(b, (*fraction, ONE), p, q, sum(self.width), b.not_(carry))

    def gates(self) -> GateCount:
        """Normalisers that keep w - 1 bits, the logarithms' adder, antilogarithm shifter, zero detection."""
        fraction = min(self.w, max(self.width)) - 1
        front = total(normaliser(bits, min(self.w, bits) - 1) for bits in self.width)
        return front.then(ripple_adder(fraction)).then(denormaliser(self.width, fraction + 1))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The published lengths and shorter ones, other widths."""
        return [*(cls(w=w) for w in (3, 4, 5, 6, 8)), cls(w=4, width=(8, 4)), cls(w=3, width=(4, 4)), cls(w=5, width=(7, 7))]
