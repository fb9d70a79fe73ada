"""An error metric of a unit, over all pairs of operands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims._units import unit_of
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.errors import ClaimError, near
from inexact.metrics.passport import CONVENTIONS, profile

SHARES = ("error_probability", "mred", "mred_all", "wcre", "nmed", "mae_range", "pred_2pct")
"""Metrics without a unit, which publications print in percent."""


@kinds.register("unit_metric")
@final
@dataclass(frozen=True, kw_only=True)
class UnitMetric(Check):
    """target: a multiplier's spec, `adder:` and an adder's, or `evoapproxlib:` and a circuit of its master branch. metric: of
    `inexact.metrics.CONVENTIONS`; shares are given in percent, everything else in units of the output (mse: squared)."""

    target: str
    metric: str

    def __post_init__(self) -> None:
        if self.metric not in CONVENTIONS:
            raise ClaimError(f"metric must be one of {', '.join(CONVENTIONS)}, not {self.metric!r}{near(self.metric, CONVENTIONS)}")

    @property
    def unit(self) -> str:
        """% for shares, 1 for counts and properties, lsb for errors."""
        if self.metric in SHARES:
            return "%"
        if self.metric in {"mse", "error_variance", "var_abs_error"}:
            return "lsb²"
        return "lsb" if self.metric in {"mae", "rmse", "wce", "mean_error"} else "1"

    def measure(self) -> Measured:
        """Exhaustively."""
        found = profile(unit_of(self.target))
        value = float(found.metrics()[self.metric])
        pairs = 1 << sum(found.width)
        return Measured.exact(100 * value if self.metric in SHARES else value, n=pairs, detail=f"all {pairs} pairs, uniform operands")
