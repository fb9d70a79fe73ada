"""Detectors that weigh and meter the chip: area, leakage, energy, against the honest design."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from inexact.core.errors import SpecError
from inexact.core.estimate import Estimate
from inexact.security.trojans._detector import Detector, Device, Golden, detectors

VARIATION = 0.05
"""Relative standard deviation of a chip's leakage or energy once the die is calibrated: a declared model, not measured. Process
variation before calibration is far larger: S. Borkar et al., "Parameter variations and impact on circuits and microarchitecture",
DAC 2003, doi:10.1145/775832.775920."""


@detectors.register("area")
@final
@dataclass(frozen=True, kw_only=True)
class Area(Detector):
    """Cell area against that of the honest design: a look at the layout, or at what a synthesis of a delivered netlist gives."""

    def score(self, device: Device, golden: Golden) -> float:
        """Relative excess."""
        return device.silicon.area.value / golden.device.silicon.area.value - 1


@detectors.register("leakage_power")
@final
@dataclass(frozen=True, kw_only=True)
class LeakagePower(Detector):
    """Leakage of a chip against the honest design's. variation: relative standard deviation from chip to chip, lognormal."""

    variation: float = VARIATION

    def __post_init__(self) -> None:
        _check(self.variation)

    def score(self, device: Device, golden: Golden) -> float:
        """Logarithm of the ratio, with the chip's own deviation."""
        return _excess(device.silicon.leakage, golden.device.silicon.leakage, self.variation, 2 * device.seed)


@detectors.register("switching_energy")
@final
@dataclass(frozen=True, kw_only=True)
class SwitchingEnergy(Detector):
    """Energy per operation under random operands, with glitches, against the honest design's. variation: as for leakage."""

    variation: float = VARIATION

    def __post_init__(self) -> None:
        _check(self.variation)

    def score(self, device: Device, golden: Golden) -> float:
        """Logarithm of the ratio, with the chip's own deviation."""
        return _excess(device.silicon.energy, golden.device.silicon.energy, self.variation, 2 * device.seed + 1)


def _check(variation: float) -> None:
    if not (math.isfinite(variation) and variation >= 0):
        raise SpecError(f"variation must be a number >= 0, as 0.05, not {variation!r}")


def _excess(found: Estimate, honest: Estimate, variation: float, seed: int) -> float:
    return math.log(found.value / honest.value) + variation * float(np.random.default_rng(seed).standard_normal())
