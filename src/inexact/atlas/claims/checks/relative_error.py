"""The relative error of a unit of wide operands, over random pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.atlas.claims._units import unit_of
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.metrics import normal_quantile
from inexact.units import Multiplier

STATISTICS = ("mean", "mean_abs", "std", "error_probability")


@kinds.register("relative_error")
@final
@dataclass(frozen=True, kw_only=True)
class RelativeError(Check):
    """(unit - exact) / exact in percent over `samples` random pairs of operands, none of them 0, drawn evenly with `seed`.

    target: a multiplier's spec, or `adder:` and an adder's. statistic: mean (signed), mean_abs, std (of the signed error),
    error_probability. normalised: only operands whose top bit is set. The interval is that of the normal approximation, 95 %.
    """

    target: str
    statistic: str
    normalised: bool = False
    samples: int = 1_000_000
    seed: int = 7

    def __post_init__(self) -> None:
        one_of("statistic", self.statistic, STATISTICS)

    @property
    def unit(self) -> str:
        """Always percent."""
        return "%"

    def measure(self) -> Measured:
        """Of a sample."""
        unit = unit_of(self.target)
        generator = np.random.default_rng(self.seed)
        a, b = (self._operands(generator, bits, unit.signed) for bits in unit.width)
        exact = a * b if isinstance(unit, Multiplier) else a + b
        kept = exact != 0
        error = 100.0 * (unit(a, b)[kept] - exact[kept]) / abs(exact[kept])
        value, half = _statistic(self.statistic, error)
        return Measured(
            value=value, low=value - half, high=value + half, n=error.size, detail=f"{error.size} random pairs, seed {self.seed}"
        )

    def _operands(self, generator: np.random.Generator, bits: int, signed: bool) -> NDArray[np.int64]:
        low = 1 << (bits - 1) if self.normalised else (-(1 << (bits - 1)) if signed else 1)
        return generator.integers(low, 1 << (bits - signed), size=self.samples)


def _statistic(name: str, error: NDArray[np.float64]) -> tuple[float, float]:
    """The value and half its interval."""
    if name == "std":
        centred = error - error.mean()
        variance = float((centred**2).mean())
        fourth = float((centred**4).mean())
        return math.sqrt(variance), normal_quantile(0.95) * math.sqrt(max(fourth - variance**2, 0.0) / (4 * variance * error.size))
    values = {"mean": error, "mean_abs": abs(error), "error_probability": 100.0 * (error != 0)}[name]
    return float(values.mean()), normal_quantile(0.95) * float(values.std()) / math.sqrt(values.size)
