"""How many faults a statistical campaign needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims.checks._base import Check, Measured, kinds


@kinds.register("fault_sample")
@final
@dataclass(frozen=True, kw_only=True)
class FaultSample(Check):
    """Faults of `population` that give a share of failures within plus or minus `margin` (a share) at `confidence`, whatever it is."""

    population: int
    margin: float
    confidence: float

    @property
    def unit(self) -> str:
        """A count."""
        return "faults"

    def measure(self) -> Measured:
        """By the closed form."""
        from inexact.reliability.sampling import sample_size

        return Measured.exact(sample_size(self.population, self.margin, self.confidence))
