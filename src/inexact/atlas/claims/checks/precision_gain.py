"""What narrower operands are worth on a machine, in time or energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from inexact.atlas.claims._shapes import workload_of
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of

if TYPE_CHECKING:
    from inexact import hardware
    from inexact.core.estimate import Estimate


@kinds.register("precision_gain")
@final
@dataclass(frozen=True, kw_only=True)
class PrecisionGain(Check):
    """Time or energy of a network with operands of `base_bits` bits on `base`, over that of the same one with `a_bits` and `b_bits` on
    `machine`.

    network: of `shapes.toml`. layers: some of it. a_bits, b_bits: one number, or one a layer. base: "" for the same machine. shows: speed,
    energy (with DRAM), on_chip_energy. The interval holds the ratios with all constants of both machines at their low, central and high
    ends.
    """

    network: str
    machine: str
    a_bits: tuple[int, ...]
    b_bits: tuple[int, ...]
    shows: str
    layers: tuple[str, ...] = ()
    base: str = ""
    base_bits: int = 16
    coding: str = "signed"

    def __post_init__(self) -> None:
        one_of("shows", self.shows, ("speed", "energy", "on_chip_energy"))

    @property
    def unit(self) -> str:
        """A ratio."""
        return "1"

    def measure(self) -> Measured:
        """By the accelerator model."""
        from inexact import hardware

        own = hardware.load(self.machine).evaluate(workload_of(self.network, self.layers, self.a_bits, self.b_bits, coding=self.coding))
        wide = workload_of(self.network, self.layers, (self.base_bits,), (self.base_bits,), coding=self.coding)
        before = hardware.load(self.base or self.machine).evaluate(wide)
        detail = f"{self.base or self.machine} at {self.base_bits} bits over {self.machine}"
        if self.shows == "speed":
            return Measured.exact(before.latency_ms.value / own.latency_ms.value, n=len(own.layers), detail=detail)
        pairs = list(zip(_ends(self._energy(before)), _ends(self._energy(own)), strict=True))
        ratios = [numerator / denominator for numerator, denominator in pairs]
        return Measured(value=ratios[0], low=min(ratios), high=max(ratios), n=len(own.layers), detail=detail)

    def _energy(self, cost: hardware.Cost) -> list[Estimate]:
        outside = () if self.shows == "energy" else ("dram",)
        return [estimate for name, estimate in cost.energy_pj.by_component.items() if name not in outside]


def _ends(estimates: list[Estimate]) -> tuple[float, float, float]:
    """The sum at the central, low and high ends."""
    spreads = [estimate.spread or (estimate.value, estimate.value) for estimate in estimates]
    return sum(e.value for e in estimates), sum(low for low, _ in spreads), sum(high for _, high in spreads)
