"""How many faults change an answer, as an objective of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, final

from inexact.explore.pool import Pool
from inexact.explore.settings import Settings
from inexact.nn import ApproxModel
from inexact.reliability import sdc_rate

IMAGES = 256
"""Validation images that faults strike."""


@final
@dataclass(frozen=True, kw_only=True)
class FaultRate:
    """fault: spec, "" when the study does not ask for it. count: faults a plan meets. pool: the images they strike."""

    fault: str
    count: int
    pool: Pool
    seed: int

    @classmethod
    def of(cls, settings: Settings, pool: Pool) -> Self:
        """What the settings ask for."""
        asked = "sdc_rate" in settings.objectives
        few = pool.part(0, min(IMAGES, len(pool)))
        return cls(fault=settings.fault if asked else "", count=settings.fault_count, pool=few, seed=settings.seed)

    def known(self) -> dict[str, Any]:
        """What a measurement depends on; empty when nothing is asked."""
        return {"fault": [self.fault, self.count, len(self.pool)]} if self.fault else {}

    def judge(self, net: ApproxModel) -> dict[str, float]:
        """`sdc_rate`: percent of the faults after which the class is another (SDC-1), empty when nothing is asked.

        Every plan meets faults drawn by the same seed. Raises FaultError for a plan whose layers cannot have the fault.
        """
        if not self.fault:
            return {}
        return {"sdc_rate": 100 * sdc_rate(net, self.pool.batches(), self.fault, count=self.count, seed=self.seed).value}
