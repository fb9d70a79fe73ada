"""What a unit's data sheet promises, and the room it leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import SpecError, near
from inexact.units import Multiplier

Integers = NDArray[np.int64]

DECLARED = ("error_probability", "mae", "mse", "wce", "mred", "wcre")
"""Metrics of a data sheet, as EvoApproxLib prints them; definitions in `inexact.metrics.CONVENTIONS`. All grow with the error."""


@final
@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Upper bounds by metric, over all operand pairs, uniform."""

    bounds: Mapping[str, float]

    @classmethod
    def of(cls, unit: Multiplier, *, digits: int = 2, names: Sequence[str] = DECLARED) -> Declaration:
        """The unit's own metrics, rounded up to so many significant digits: what an honest maker prints."""
        if digits < 1:
            raise SpecError(f"digits of a declaration must be at least 1, not {digits}")
        for name in names:
            if name not in DECLARED:
                raise SpecError(f"no metric {name!r} can be declared{near(name, DECLARED)} Known: {', '.join(DECLARED)}")
        found = measured(unit.table(), unit.exact_table())
        return cls(bounds={name: rounded_up(found[name], digits) for name in names})

    def excess(self, found: Mapping[str, float]) -> float:
        """The largest ratio of a measured metric to its bound; at most 1 when all are kept. A metric above a bound of 0 is infinite."""
        return max(over(found[name], bound) for name, bound in self.bounds.items())


def over(value: float, bound: float) -> float:
    """`value / bound`; of a bound of 0, 0 or infinity."""
    if bound:
        return value / bound
    return math.inf if value > 0 else 0.0


def measured(table: NDArray[np.integer], exact: NDArray[np.integer]) -> dict[str, float]:
    """Every metric of `DECLARED` of a table."""
    right = exact.astype(np.int64)
    size = np.abs(table.astype(np.int64) - right)
    relative = size[right != 0] / np.abs(right[right != 0])
    return {
        "error_probability": float((size > 0).mean()),
        "mae": float(size.mean()),
        "mse": float((size.astype(np.float64) ** 2).mean()),
        "wce": float(size.max()),
        "mred": float(relative.mean()),
        "wcre": float(relative.max()),
    }


def rounded_up(value: float, digits: int) -> float:
    """`value` rounded up to significant digits; 0 stays 0."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    up = math.ceil(value / step - 1e-9) * step
    return float(f"{up:.{digits}g}") if digits < 15 else up
