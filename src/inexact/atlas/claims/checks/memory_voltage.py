"""What a lower voltage of an on-chip memory costs and saves."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import check_images, emulated
from inexact.atlas.claims._operating import UNITS, Operated, answer, check_operation
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of

BOUNDARIES = ("memory", "on_chip", "with_dram")


@kinds.register("memory_voltage")
@final
@dataclass(frozen=True, kw_only=True)
class MemoryVoltage(Check):
    """A network whose `memory` (weight, activation or both) is at `voltages`, over its lowest error-free one, the highest first.

    shows: saving, the energy saved (percent of `boundary`: memory, the one that is lowered, on_chip or with_dram) at the lowest voltage
    down to which every drop is at most `within` points; drop, the points lost at the only voltage. Drops are means over `chips` chips with
    their 95 % t interval, on the first `images` test images.
    """

    network: str
    data: str
    rules: dict[str, Any]
    voltages: tuple[float, ...]
    memory: str = "weight"
    within: float = 1.0
    boundary: str = "memory"
    machine: str = "edge-16x16"
    chips: int = 10
    images: int = 1000
    shows: str = "saving"

    def __post_init__(self) -> None:
        check_images(self.images)
        one_of("memory", self.memory, ("weight", "activation", "both"))
        check_operation(self.voltages, self.shows, self.boundary, BOUNDARIES)

    @property
    def unit(self) -> str:
        """Percent saved, or points lost."""
        return UNITS[self.shows]

    def measure(self) -> Measured:
        """Chips with wrong bits as measured in a 14 nm memory."""
        from inexact.reliability import access_energy

        found = _swept(self.network, self.data, json.dumps(self.rules), self.voltages, self.memory, self.machine, self.chips, self.images)
        points = []
        for point in found:
            saved = 100 * (1 - access_energy(point.voltage)) if self.boundary == "memory" else point.saved[self.boundary].value
            points.append(Operated(voltage=point.voltage, drop=point.drop.mean, low=point.drop.low, high=point.drop.high, saved=saved))
        rates = ", ".join(f"{point.bit_error_rate:.1e}" for point in found)
        detail = f"bit error rates {rates}; {self.chips} chips, {self.network} on {self.machine}"
        return answer(points, self.shows, self.within, detail)


@functools.lru_cache(maxsize=4)
def _swept(
    network: str, data: str, rules: str, voltages: tuple[float, ...], memory: str, machine: str, chips: int, images: int
) -> list[Any]:
    from inexact import hardware, zoo
    from inexact.nn import workload
    from inexact.reliability import memory_sweep
    from inexact.reliability.sram_voltage import SramVoltage

    net, described = emulated(network, data, json.loads(rules)), hardware.load(machine)
    broken = [SramVoltage(voltage=voltage, memory=memory) for voltage in voltages]
    return memory_sweep(
        net, zoo.data(data, "test", images), zoo.data(data, "validation", 64), described, workload(net, name=network), broken, chips=chips
    )
