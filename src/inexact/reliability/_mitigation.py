"""The family of mitigations: what keeps faults from becoming wrong answers, and what that costs on an accelerator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, final

from torch import Tensor

from inexact.core.estimate import Estimate
from inexact.core.registry import Family, spec_of
from inexact.hardware import Accelerator
from inexact.nn import ApproxModel


@final
@dataclass(frozen=True, kw_only=True)
class Overhead:
    """What a mitigation adds to one inference: energy in pJ and in percent of the whole accelerator's, area of the chip in um2."""

    energy: Estimate
    energy_percent: float
    area: Estimate
    area_percent: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        figures = {"energy": self.energy.to_json(), "area": self.area.to_json()}
        return figures | {"energy_percent": self.energy_percent, "area_percent": self.area_percent}


class Mitigation(ABC):
    """Members are frozen dataclasses. A protected network has the same layers under the same names."""

    family_name: ClassVar[str]

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    @abstractmethod
    def protected(self, net: ApproxModel, inputs: Tensor) -> ApproxModel:
        """A network of its own with the mitigation; inputs: calibration images. `net` is not changed."""

    @abstractmethod
    def overhead(self, net: ApproxModel, machine: Accelerator) -> Overhead:
        """What it costs in this network on this accelerator."""


mitigations: Family[Mitigation] = Family("mitigation", "inexact.reliability")
