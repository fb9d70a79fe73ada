"""Energy that a planned design saves over the exact 8-bit one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import emulated, trained
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of

BOUNDARIES = ("multiplier", "array", "on_chip", "with_dram")
"""Those of `inexact.hardware`, which takes longer to import than claims to list."""


@kinds.register("design_saving")
@final
@dataclass(frozen=True, kw_only=True)
class DesignSaving(Check):
    """Energy saved by `rules` (a plan's table) against exact 8 bit in its cheapest coding on the same machine, in percent.

    boundary: multiplier, array, on_chip or with_dram. calibrate: other data to count reductions on. The interval is that of the
    model's constants.
    """

    network: str
    data: str
    rules: dict[str, Any]
    machine: str = "edge-16x16"
    boundary: str = "multiplier"
    calibrate: str = ""

    def __post_init__(self) -> None:
        one_of("boundary", self.boundary, BOUNDARIES)

    @property
    def unit(self) -> str:
        """Percent saved."""
        return "%"

    def measure(self) -> Measured:
        """By the accelerator model."""
        from inexact import hardware
        from inexact.nn import workload

        machine, net = hardware.load(self.machine), emulated(self.network, self.data, self.rules, self.calibrate)
        exact = workload(trained(self.network, self.data), net.input_shape, name=self.network)
        reference = machine.evaluate(hardware.leanest_baseline(machine, exact))
        found = hardware.savings(machine.evaluate(workload(net, name=self.network)), reference)[self.boundary]
        low, high = found.spread or (found.value, found.value)
        return Measured(value=found.value, low=low, high=high, detail=f"{self.network} on {self.machine}")
