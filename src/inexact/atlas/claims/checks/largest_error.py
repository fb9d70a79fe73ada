"""The largest relative error of a unit of wide operands, by search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact import units
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.errors import ClaimError


@kinds.register("largest_error")
@final
@dataclass(frozen=True, kw_only=True)
class LargestError(Check):
    """The largest |product - exact| / exact in percent that searches find: from the `starts` worst of `drawn` random pairs, one operand
    after the other runs over all its values until neither makes the error larger. The largest of all pairs can only be larger still.

    target: an unsigned multiplier's spec. normalised: only operands whose top bit is set.
    """

    target: str
    normalised: bool = False
    drawn: int = 1_000_000
    starts: int = 16
    seed: int = 7

    def __post_init__(self) -> None:
        if not 1 <= self.starts <= self.drawn:
            raise ClaimError(f"starts must be 1 to drawn ({self.drawn}), not {self.starts}")

    @property
    def unit(self) -> str:
        """Always percent."""
        return "%"

    def measure(self) -> Measured:
        """By exhaustive searches along one operand at a time."""
        unit = units.get(self.target)
        lows = [1 << (bits - 1) if self.normalised else 1 for bits in unit.width]
        generator = np.random.default_rng(self.seed)
        a, b = (generator.integers(low, 1 << bits, size=self.drawn) for low, bits in zip(lows, unit.width, strict=True))
        worst = np.argsort(_errors(unit, a, b))[-self.starts :]
        ranges = [np.arange(low, 1 << bits) for low, bits in zip(lows, unit.width, strict=True)]
        value = max(_climb(unit, int(a[i]), int(b[i]), ranges) for i in worst)
        return Measured.exact(value, n=self.starts, detail=f"{self.starts} searches, seed {self.seed}")


def _errors(unit: units.Multiplier, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
    exact = a * b
    return np.asarray(100.0 * abs(unit(a, b) - exact) / exact, dtype=np.float64)


def _climb(unit: units.Multiplier, a: int, b: int, ranges: list[NDArray[np.int64]]) -> float:
    best = -1.0
    while True:
        along_a = _errors(unit, ranges[0], np.full_like(ranges[0], b))
        a = int(ranges[0][along_a.argmax()])
        along_b = _errors(unit, np.full_like(ranges[1], a), ranges[1])
        b = int(ranges[1][along_b.argmax()])
        found = float(along_b.max())
        if found <= best:
            return best
        best = found
