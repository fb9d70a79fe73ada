"""What the arithmetic of a layer costs: unit costs relative to the exact 8x8 multiplier, times the cited numbers of that multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from inexact import units
from inexact.core.estimate import Estimate
from inexact.hardware._constants import Triple
from inexact.units.cost import relative_cost

EXACT = "exact"
"""Spec of the exact 8x8 multiplier, the reference of every relative cost."""


@dataclass(frozen=True, kw_only=True)
class UnitCost:
    """Cost of a multiplier over the exact 8x8 one; the spread is that of the cost model itself.

    source: the model. verified: backed by synthesis.
    """

    energy: Triple
    area: Triple
    delay: float
    source: str
    verified: bool


REFERENCE = UnitCost(energy=(1.0, 1.0, 1.0), area=(1.0, 1.0, 1.0), delay=1.0, source="by definition", verified=True)


@lru_cache(maxsize=65536)
def unit_cost(spec: str) -> UnitCost:
    """Relative cost of a multiplier spec. The exact 8x8 multiplier, signed or not, is 1: the cited tables do not tell them apart."""
    if spec == EXACT:
        return REFERENCE
    unit = units.get(spec)
    if unit.spec == "exact(signed=true)":
        return REFERENCE
    cost = relative_cost(unit)
    return UnitCost(
        energy=_triple(cost.energy),
        area=_triple(cost.area),
        delay=cost.delay.value,
        source=cost.energy.source,
        verified=cost.energy.verified,
    )


def _triple(estimate: Estimate) -> Triple:
    low, high = estimate.spread or (estimate.value, estimate.value)
    return estimate.value, low, high
