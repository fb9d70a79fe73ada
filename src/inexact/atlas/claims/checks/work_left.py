"""What a reduction leaves of a network's work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import emulated
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of


@kinds.register("work_left")
@final
@dataclass(frozen=True, kw_only=True)
class WorkLeft(Check):
    """Work that the reductions of `rules` (a plan's table) leave, counted on the first 64 validation images, layers weighed by their
    products.

    shows: products_removed, percent; products_ratio, full over left; speed, full time over time left with the lanes that wait. over:
    "network", or "reduced", the layers that have a reduction alone. calibrate: other data to count on, such as
    "jittered(frames=16):fashion-mnist".
    """

    network: str
    data: str
    rules: dict[str, Any]
    shows: str = "products_removed"
    over: str = "network"
    calibrate: str = ""

    def __post_init__(self) -> None:
        one_of("shows", self.shows, ("products_removed", "products_ratio", "speed"))
        one_of("over", self.over, ("network", "reduced"))

    @property
    def unit(self) -> str:
        """Percent, or a ratio."""
        return "%" if self.shows == "products_removed" else "1"

    def measure(self) -> Measured:
        """By counting."""
        from inexact.nn import workload

        net = emulated(self.network, self.data, self.rules, self.calibrate)
        works = net.works()
        macs = {layer.name: layer.macs for layer in workload(net).multiplying if self.over == "network" or layer.name in works}
        share = "time" if self.shows == "speed" else "multiplications"
        left = sum(count * (getattr(works[name], share) if name in works else 1.0) for name, count in macs.items()) / sum(macs.values())
        value = 100 * (1 - left) if self.shows == "products_removed" else 1 / left
        return Measured.exact(
            value, n=64, detail=f"{len(works)} of {len(net.layers())} layers reduced, {self.network} on {self.calibrate or self.data}"
        )
