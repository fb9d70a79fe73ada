"""Area, delay or energy of a unit over that of another one, from the synthesised catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.core.errors import ClaimError, near
from inexact.units import catalogue

FIGURES = ("area_um2", "delay_ns", "energy_pj", "settled_energy_pj", "leakage_nw")


@kinds.register("silicon_ratio")
@final
@dataclass(frozen=True, kw_only=True)
class SiliconRatio(Check):
    """figure of `target` over that of `reference`, both in the catalogue of synthesised units, made under one library and recipe.

    figure: of the catalogue; settled_energy_pj is switching energy without glitches. saving: 100 * (1 - ratio) instead. The interval is
    that of the simulated energies; other figures have none.
    """

    target: str
    reference: str
    figure: str
    saving: bool = False

    def __post_init__(self) -> None:
        one_of("figure", self.figure, FIGURES)

    @property
    def unit(self) -> str:
        """Percent saved, or a ratio."""
        return "%" if self.saving else "1"

    def measure(self) -> Measured:
        """From the shipped catalogue."""
        target, reference = (self._entry(spec) for spec in (self.target, self.reference))
        ratio = target.silicon[self.figure] / reference.silicon[self.figure]
        low = high = ratio
        if self.figure == "energy_pj":
            low = target.energy_interval[0] / reference.energy_interval[1]
            high = target.energy_interval[1] / reference.energy_interval[0]
        if self.saving:
            ratio, low, high = 100 * (1 - ratio), 100 * (1 - high), 100 * (1 - low)
        return Measured(value=ratio, low=low, high=high, detail=f"{catalogue.conditions().get('library', 'own cells')}, uniform operands")

    def _entry(self, spec: str) -> catalogue.Entry:
        known = catalogue.entries()
        if spec not in known:
            raise ClaimError(f"the catalogue of synthesised units has no {spec!r}{near(spec, known)}")
        return known[spec]
