"""Energy of a word in a multiplier that splits into narrower ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.workload import Arithmetic, LayerWorkload, Workload


@kinds.register("subword_energy")
@final
@dataclass(frozen=True, kw_only=True)
class SubwordEnergy(Check):
    """Multiplier energy a product that `bits`-bit operands save over 16-bit ones on `dvafs-like`, in percent.

    constant_throughput: at the clock and voltage that keep the throughput of 16 bits; else at the nominal ones.
    """

    bits: int
    constant_throughput: bool = True

    @property
    def unit(self) -> str:
        """Percent saved."""
        return "%"

    def measure(self) -> Measured:
        """By the accelerator model, for one linear layer of 256 inputs and 64 outputs, 128 rows."""
        from inexact import hardware

        machine = hardware.load("dvafs-like")
        wide, narrow = (_one_layer(bits) for bits in (16, self.bits))
        points = hardware.operating_points(machine, narrow, wide)
        point = points["voltage" if self.constant_throughput else "nominal"]
        before = machine.evaluate(wide).components["multipliers"]
        saved = [100 * (1 - own / other) for own, other in zip(point.cost.components["multipliers"], before, strict=True)]
        return Measured(value=saved[0], low=min(saved), high=max(saved), detail=f"{point.clock_mhz:g} MHz, {point.voltage_v:.2f} V")


def _one_layer(bits: int) -> Workload:
    held = Arithmetic(a_bits=bits, b_bits=bits, coding="unsigned")
    layer = LayerWorkload(name="linear", kind="linear", in_channels=256, out_channels=64, out_h=128, in_h=128, arithmetic=held)
    return Workload(network="one layer", layers=(layer,))
