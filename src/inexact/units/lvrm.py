"""Low-variance reconfigurable multiplier: an exact mode and two whose error varies little for a fixed weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Builder, Wires
from inexact.circuits.columns import Columns, add_columns
from inexact.circuits.multipliers import multiply
from inexact.core.errors import SpecError, require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._cells import dropped_value, expected_dropped
from inexact.units._gates import GateCount, array_gates


@multipliers.register("lvrm")
@final
@dataclass(frozen=True, kw_only=True)
class LowVariance(Multiplier):
    """Reconfigurable multiplier by switched wires: mode 0 exact, modes 1 and 2 tie the lowest columns' partial products to 0.

    mode: 0..2, stored with each weight. first, second: columns tied in modes 1 and 2, 0 <= first <= second <= min(wa, wb): the wires
    of mode 1 are among those of mode 2, as in the published circuit, whose wires and constants are not given. The defaults are the
    most columns that hold the published rule at 8 bits: for at least 90 % of the weights the variance of the error over uniform
    activations is at most 8**2 (mode 1) and 20**2 (mode 2), and no error is positive. width: bits of (a, b), unsigned.
    `modes()` gives the three units of one circuit.
    Error: one-sided, never above exact; its mean for a weight is taken back by a bias update; exact on zero.

    Reference: Z.-G. Tasoulas, G. Zervakis, I. Anagnostopoulos, H. Amrouch, J. Henkel, "Weight-oriented approximation for
    energy-efficient neural network inference accelerators", IEEE TCAS-I 67(12), 2020, doi:10.1109/TCSI.2020.3019460
    """

    mode: int = principal(1)
    first: int = 3
    second: int = 4
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """A mode; nested columns."""
        require_range("mode", self.mode, 0, 2)
        require_range("second", self.second, 0, min(self.width), bound="0..min(width)")
        if isinstance(self.first, bool) or not isinstance(self.first, int) or not 0 <= self.first <= self.second:
            raise SpecError(f"first must be 0..second ({self.second}), the wires of mode 1 are among those of mode 2, not {self.first!r}")

    @property
    def cut(self) -> int:
        """Columns tied in this mode."""
        return (0, self.first, self.second)[self.mode]

    def modes(self) -> dict[str, Multiplier]:
        """The three units of this circuit."""
        return {str(mode): LowVariance(mode=mode, first=self.first, second=self.second, width=self.width) for mode in range(3)}

    def _kept(self) -> NDArray[np.bool_]:
        return np.add.outer(np.arange(self.width[0]), np.arange(self.width[1])) >= self.cut

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product less the tied cells."""
        return a * b - dropped_value(a, b, self._kept())

    def golden(self) -> Golden:
        """Column truncation's closed forms."""
        lost = float(expected_dropped(self._kept()))
        return Golden(mae=lost, mean_error=-lost, wce=4 * lost, source="docs/derivations/cells.md")

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The array in this mode, without the tied cells."""
        return multiply(b, x, y, kind="dadda", kept=self._kept())

    def place_switched(self, b: Builder, x: Wires, y: Wires, code: Wires) -> Wires:
        """The whole array; a further AND in the cells of the columns that mode 2 ties, and in those that both modes tie."""
        exact, below = b.nor_(code[0], code[1]), b.not_(code[1])
        columns: Columns = [[] for _ in range(sum(self.width))]
        for i, p in enumerate(x):
            for j, q in enumerate(y):
                cell = b.and_(p, q)
                if i + j < self.second:
                    cell = b.and_(cell, exact if i + j < self.first else below)
                columns[i + j].append(cell)
        return add_columns(b, columns, tree="dadda")

    def gates(self) -> GateCount:
        """The whole array and a switch per cell that a mode ties; what a mode saves is switching, not area."""
        switches = self.second * (self.second + 1) // 2
        return GateCount(and2=switches, levels=1).then(array_gates(np.ones(self.width, dtype=bool)))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """All modes, other columns, other widths."""
        return [
            *(cls(mode=mode) for mode in range(3)),
            cls(mode=2, second=8),
            cls(first=2, second=3, width=(8, 4)),
            cls(first=2, second=3, width=(4, 4)),
        ]
