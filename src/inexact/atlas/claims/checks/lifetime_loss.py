"""What a chip without guard band loses as it ages, when its operands lose bits instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims._networks import CALIBRATION, check_images, trained
from inexact.atlas.claims._operating import paired
from inexact.atlas.claims.checks._base import Check, Measured, kinds


@kinds.register("lifetime_loss")
@final
@dataclass(frozen=True, kw_only=True)
class LifetimeLoss(Check):
    """Points lost after `years` by operands of so few bits that the aged multiplier meets the fresh clock, against all bits; paired, 95 %.

    Widths and ranges are chosen on `choose` validation images and judged on the first `images` test images. ten_years: V by which
    thresholds have risen after ten years, by a power of time. voltage: of the array, V.
    """

    network: str
    data: str
    years: float = 10.0
    ten_years: float = 0.05
    voltage: float = 1.1
    coding: str = "unsigned"
    choose: int = 500
    images: int = 1000

    def __post_init__(self) -> None:
        check_images(self.images)
        check_images(self.choose)

    @property
    def unit(self) -> str:
        """Points."""
        return "points"

    def measure(self) -> Measured:
        """By static timing of the multiplier with constant bits, and on images."""
        from inexact import zoo
        from inexact.reliability import LifetimeSettings, PowerLaw, lifetime

        ageing = PowerLaw(ten_years=self.ten_years)
        settings = LifetimeSettings(ageing=ageing, ages=(self.years,), voltage=self.voltage, coding=self.coding, timing_errors=False)
        found = lifetime(
            trained(self.network, self.data),
            settings,
            calibrate=zoo.data(self.data, "validation", CALIBRATION),
            validation=zoo.data(self.data, "validation", self.choose),
            test=zoo.data(self.data, "test", self.images),
        )
        (aged,) = found.moments
        drop, low, high = paired(aged.aware)
        detail = f"{aged.width.a_bits} x {aged.width.b_bits} bits, {100 * found.guardband:.1f} % slower; {self.network} on {self.data}"
        return Measured(value=drop, low=low, high=high, n=self.images, detail=detail)
