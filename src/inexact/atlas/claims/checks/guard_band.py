"""What ageing costs a clock that must hold for years."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims.checks._base import Check, Measured, kinds


@kinds.register("guard_band")
@final
@dataclass(frozen=True, kw_only=True)
class GuardBand(Check):
    """How much faster a fresh chip may be clocked than one that has to be in time after `years`, in percent.

    node: technology whose alpha-power law gives the delay. ten_years: V by which thresholds have risen after ten years, by a power of time.
    voltage: of the chip, V; 0 for the node's nominal one.
    """

    node: str = "45nm"
    years: float = 10.0
    ten_years: float = 0.05
    voltage: float = 0.0

    @property
    def unit(self) -> str:
        """Percent of the clock."""
        return "%"

    def measure(self) -> Measured:
        """By the models of ageing and delay."""
        from inexact import hardware
        from inexact.reliability import PowerLaw

        technology = hardware.technology(self.node)
        drift = PowerLaw(ten_years=self.ten_years).drift(self.years)
        supply = self.voltage or technology["nominal_voltage"].value
        detail = f"{self.node}, {supply:g} V, thresholds risen by {1000 * drift:.0f} mV"
        aged, fresh = (hardware.slowdown(technology, supply, shift) for shift in (drift, 0.0))
        return Measured.exact(100 * (aged / fresh - 1), detail=detail)
