"""What a lower voltage of the array costs and saves, when products are late for their clock."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import check_images, emulated
from inexact.atlas.claims._operating import UNITS, Operated, answer, check_operation, paired
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of

BOUNDARIES = ("array", "on_chip", "with_dram")


@kinds.register("array_voltage")
@final
@dataclass(frozen=True, kw_only=True)
class ArrayVoltage(Check):
    """A network on an array at `voltages` (V), the highest first, whose late products meet `policy`: none, te_drop or boost.

    shows: saving, the energy saved (percent of `boundary`: array, on_chip or with_dram) at the lowest voltage down to which every drop is
    at most `within` points; drop, the points lost at the only voltage. Drops are against the same network in time, on the first `images`
    test images, paired.
    """

    network: str
    data: str
    rules: dict[str, Any]
    voltages: tuple[float, ...]
    policy: str = "te_drop"
    within: float = 1.0
    boundary: str = "array"
    machine: str = "edge-16x16"
    images: int = 300
    shows: str = "saving"

    def __post_init__(self) -> None:
        check_images(self.images)
        one_of("policy", self.policy, ("none", "te_drop", "boost"))
        check_operation(self.voltages, self.shows, self.boundary, BOUNDARIES)

    @property
    def unit(self) -> str:
        """Percent saved, or points lost."""
        return UNITS[self.shows]

    def measure(self) -> Measured:
        """Every transition of operands simulated."""
        found = _swept(self.network, self.data, json.dumps(self.rules), self.voltages, self.policy, self.machine, self.images)
        points = []
        for point in found:
            drop, low, high = paired(point.evaluation)
            points.append(Operated(voltage=point.voltage, drop=drop, low=low, high=high, saved=point.saved[self.boundary].value))
        late = ", ".join(f"{point.products.late_share:.1e}" for point in found)
        detail = f"late products {late}; {self.images} images, {self.network} on {self.machine}"
        return answer(points, self.shows, self.within, detail)


@functools.lru_cache(maxsize=4)
def _swept(network: str, data: str, rules: str, voltages: tuple[float, ...], policy: str, machine: str, images: int) -> list[Any]:
    from inexact import hardware, zoo
    from inexact.nn import workload
    from inexact.reliability import ArraySettings, array_sweep

    net = emulated(network, data, json.loads(rules))
    settings = ArraySettings(voltages=voltages, layers={}, policy=policy)
    return array_sweep(net, zoo.data(data, "test", images), hardware.load(machine), workload(net, name=network), settings)
