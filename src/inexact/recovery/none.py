"""No correction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from inexact.nn import Correction, Probe
from inexact.recovery._base import Recovery, recoveries
from inexact.recovery._facts import Facts


@recoveries.register("none")
@final
@dataclass(frozen=True, kw_only=True)
class NoRecovery(Recovery):
    """Leaves the layer as it is, and clears an earlier bias, gain and columns."""

    facts: ClassVar[Facts] = Facts(changes=frozenset(), inputs=0, least=0, time="none")

    def correct(self, probe: Probe) -> Correction:
        """Zero bias, unit gain, no columns."""
        return Correction.neutral(probe.b.shape[0])
