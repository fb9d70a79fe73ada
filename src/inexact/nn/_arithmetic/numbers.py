"""Numbers that are not integers (floats, posits, logarithms): every product by its factors, every sum exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inexact.nn._arithmetic._base import ScaledArithmetic
from inexact.nn._numbers import Contract, Factors, factors, number_patterns, number_sums
from inexact.nn._tables import NO_TABLE

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation


@final
@dataclass(frozen=True, kw_only=True)
class NumberArithmetic(ScaledArithmetic):
    """Codes are signed ranks."""

    @property
    def compiles(self) -> bool:
        """False."""
        return False

    @property
    def factors(self) -> Factors:
        """Those of the unit."""
        return factors(self.rule.unit.spec)

    @property
    def step(self) -> float:
        """That of the factors."""
        return self.factors.step

    def table(self) -> NDArray[np.int32]:
        """Empty."""
        return NO_TABLE

    def a_patterns(self, a: Tensor) -> Tensor:
        """The system's."""
        return self._patterns(a)

    def b_patterns(self, b: Tensor) -> Tensor:
        """The system's."""
        return self._patterns(b)

    def _patterns(self, codes: Tensor) -> Tensor:
        assert self.rule.format.system is not None
        return number_patterns(self.rule.format.system, codes)

    def sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """The exact sum of the unit's products, rounded once to 53 bits where it is longer."""
        return self.contracted(a, b, part.contracted, part.depth(a))

    def contracted(self, a: Tensor, b: Tensor, contract: Contract, window: int) -> Tensor:
        """As `sums`, by any contraction of `window` products."""
        return number_sums(self.factors, a, b, contract, window)

    def true_sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """Those of the system's exact unit."""
        exact = factors(self.rule.exact_unit)
        return number_sums(exact, a, b, part.contracted, part.depth(a)) * (exact.step / self.factors.step)
