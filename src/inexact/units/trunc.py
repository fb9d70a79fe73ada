"""Column truncation: the lowest `cut` columns of partial products are never formed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Builder, Wires, add_columns, partial_products
from inexact.circuits.columns import add_constant
from inexact.core.errors import SpecError, near, require_range
from inexact.units._base import Golden, Integers, Multiplier, multipliers, principal
from inexact.units._cells import column_bound, dropped_value, expected_dropped
from inexact.units._gates import GateCount, array_gates

CORRECTIONS = ("none", "constant", "variable")


@multipliers.register("trunc")
@final
@dataclass(frozen=True, kw_only=True)
class Truncated(Multiplier):
    """Array multiplier without the partial products of its `cut` least significant columns (0 = exact).

    cut: columns dropped, 0..wa+wb-1. correction: "none"; "constant": the expected lost value under uniform operands, rounded to
    the nearest integer (ties to even), is added by constant ones; or "variable": the partial products of the highest dropped column
    are added one column up, at twice their weight. signed: two's complement; then cut may not reach a sign column, cut < min(wa, wb).
    width: bits of (a, b).
    Error: without correction one-sided, never above exact for unsigned and signed operands alike; with the constant, mean error
    within 1/2 of zero, but the product of zero is not zero; with the variable one two-sided, mean error (2**cut - 1)/4 for
    cut <= min(wa, wb), exact on zero.

    Reference: M. J. Schulte, E. E. Swartzlander, "Truncated multiplication with correction constant", VLSI Signal Processing VI,
    1993, doi:10.1109/VLSISP.1993.404467; E. J. King, E. E. Swartzlander, "Data-dependent truncation scheme for parallel
    multipliers", Asilomar Conference on Signals, Systems and Computers, 1997, doi:10.1109/ACSSC.1997.679090
    """

    cut: int = principal(4)
    correction: str = "none"
    signed: bool = False
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """`cut` within the product's columns; with signed operands below the first column that holds a sign."""
        if self.signed:
            require_range("cut", self.cut, 0, min(self.width) - 1, bound="0..min(width)-1, columns without a sign bit")
        else:
            require_range("cut", self.cut, 0, sum(self.width) - 1, bound=column_bound(self.width))
        if self.correction not in CORRECTIONS:
            raise SpecError(
                f"correction must be none, constant or variable, not {self.correction!r}{near(str(self.correction), CORRECTIONS)}"
            )

    def kept(self) -> NDArray[np.bool_]:
        """Which cells (bit of a, bit of b) are formed."""
        return np.add.outer(np.arange(self.width[0]), np.arange(self.width[1])) >= self.cut

    def raised(self) -> NDArray[np.bool_]:
        """Which cells are added one column up: the highest dropped column's, with variable correction."""
        columns = np.add.outer(np.arange(self.width[0]), np.arange(self.width[1]))
        return np.asarray((columns == self.cut - 1) & (self.correction == "variable"), dtype=np.bool_)

    @property
    def constant(self) -> int:
        """The correction constant, 0 without correction."""
        return round(expected_dropped(self.kept())) if self.correction == "constant" else 0

    def product(self, a: Integers, b: Integers) -> Integers:
        """Exact product, less the dropped cells, plus the correction; dropped cells of signed operands hold no sign bit."""
        return a * b - dropped_value(a, b, self.kept()) + 2 * dropped_value(a, b, ~self.raised()) + self.constant

    def golden(self) -> Golden | None:
        """Closed forms; they hold for cut <= min(width)."""
        if self.cut > min(self.width):
            return None
        wce = (self.cut - 1) * 2**self.cut + 1
        source = "docs/derivations/trunc.md"
        if self.correction == "constant":
            return Golden(mean_error=round(expected_dropped(self.kept())) - wce / 4, source=source)
        if self.correction == "variable":
            return Golden(mean_error=(2**self.cut - 1) / 4, source=source)
        return Golden(wce=wce, mae=wce / 4, mean_error=-wce / 4, error_rank=self.cut, source=source)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The array of the kept cells and the correction."""
        columns = partial_products(b, x, y, signed=self.signed, kept=self.kept())
        columns[self.cut].extend(b.and_(x[i], y[j]) for i, j in np.argwhere(self.raised()).tolist())
        add_constant(columns, self.constant)
        return add_columns(b, columns, tree="dadda")

    def gates(self) -> GateCount:
        """The kept cells, and the correction."""
        return array_gates(self.kept(), signed=self.signed, constant=self.constant, raised=int(self.raised().sum()))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Mild to heavy cuts, corrected, signed, other widths."""
        cuts = [cls(cut=c) for c in (0, 2, 4, 6, 8, 11)]
        corrected = [cls(cut=c, correction="constant") for c in (4, 6, 8)]
        corrected += [cls(cut=c, correction="variable") for c in (1, 4, 8)]
        signed = [*(cls(cut=c, signed=True) for c in (2, 4, 7)), cls(cut=6, correction="variable", signed=True)]
        return [*cuts, *corrected, *signed, cls(cut=3, width=(8, 4)), cls(cut=2, width=(4, 4)), cls(cut=6, width=(7, 7))]
