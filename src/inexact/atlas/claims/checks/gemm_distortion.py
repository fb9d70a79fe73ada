"""What the errors of products make of a matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact import units
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.core.errors import ClaimError
from inexact.metrics.passport import profile

SHOWS = ("closed_form", "bias_share", "unbiased_distortion")


@kinds.register("gemm_distortion")
@final
@dataclass(frozen=True, kw_only=True)
class GemmDistortion(Check):
    """The error E of a product of two matrices of random codes, `size` x `depth` and `depth` x `size`, entries independent and uniform.

    shows: closed_form, ||E||² over M N (K var + K² mean²) of the unit's own moments; bias_share, the share of ||E||² that the mean error
    of a product makes, in percent; unbiased_distortion, ||E|| once that mean is taken off, over ||E||. Mean over `repeats` pairs of
    matrices, with its 95 % t interval.
    """

    target: str
    shows: str
    depth: int = 576
    size: int = 64
    repeats: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("shows", self.shows, SHOWS)
        if self.repeats < 2:
            raise ClaimError(f"repeats must be at least 2 for an interval, not {self.repeats}")

    @property
    def unit(self) -> str:
        """Percent for the share."""
        return "%" if self.shows == "bias_share" else "1"

    def measure(self) -> Measured:
        """Of `repeats` products of matrices."""
        unit = units.get(self.target)
        found, table = profile(unit), unit.table()
        generator = np.random.default_rng(self.seed)
        values = [self._value(self._error(generator, table, unit), found.mean_error, found.error_variance) for _ in range(self.repeats)]
        return Measured.mean(values, detail=f"{self.size} x {self.depth} x {self.size}")

    def _error(self, generator: np.random.Generator, table: NDArray[np.int32], unit: units.Multiplier) -> NDArray[np.float64]:
        from inexact import kernels

        a, b = (generator.integers(0, 1 << bits, (self.size, self.depth), dtype=np.uint8) for bits in unit.width)
        exact = unit.operand_values(0)[a] @ unit.operand_values(1)[b].T
        return np.asarray(kernels.gemm(a, b, table), dtype=np.float64) - exact

    def _value(self, error: NDArray[np.float64], mean: float, variance: float) -> float:
        power = float((error**2).mean())
        if self.shows == "closed_form":
            return power / (self.depth * variance + (self.depth * mean) ** 2)
        if self.shows == "bias_share":
            return 100 * (self.depth * mean) ** 2 / power
        return float(np.sqrt(((error - self.depth * mean) ** 2).mean() / power))
