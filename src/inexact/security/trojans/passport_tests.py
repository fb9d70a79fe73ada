"""Detectors that measure the whole table: declared bounds, certified metrics, hash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from inexact.core.files import sha256
from inexact.security.trojans._declaration import measured, over
from inexact.security.trojans._detector import Detector, Device, Golden, detectors


@detectors.register("declared_bounds")
@final
@dataclass(frozen=True, kw_only=True)
class DeclaredBounds(Detector):
    """Every declared metric measured again over all operand pairs: the largest ratio to its bound."""

    golden: ClassVar[bool] = False

    def score(self, device: Device, golden: Golden) -> float:
        """Above 1 when a bound is broken; only then is it a finding, so the score is 0 up to there."""
        excess = golden.declaration.excess(measured(device.table, golden.unit.exact_table()))
        return excess if excess > 1 else 0.0


@detectors.register("certified_metrics")
@final
@dataclass(frozen=True, kw_only=True)
class CertifiedMetrics(Detector):
    """The same metrics against those of the certified unit, to the last digit."""

    def score(self, device: Device, golden: Golden) -> float:
        """The largest relative deviation."""
        exact = golden.unit.exact_table()
        found, known = measured(device.table, exact), measured(golden.table, exact)
        return max(over(abs(found[name] - value), value) for name, value in known.items())


@detectors.register("table_hash")
@final
@dataclass(frozen=True, kw_only=True)
class TableHash(Detector):
    """SHA-256 of the whole table against the certified one: the identity of a unit in this project."""

    def score(self, device: Device, golden: Golden) -> float:
        """1 when it differs."""
        return float(sha256(device.table.astype("<i4").tobytes()) != golden.unit.sha256)
