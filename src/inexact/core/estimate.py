"""A number with its unit, source and spread: nothing is shown to a user without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inexact.core.notebook import as_html


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One physical or derived quantity.

    value: the number. unit: as written ("pJ", "um2", "ns", "1", "%").
    source: where it comes from: a citation, "computed", or the name of a declared model.
    node: technology node ("45 nm") or None. spread: (low, high) over published sources or model constants, or None.
    verified: False for a declared model that no synthesis or citation backs.
    """

    value: float
    unit: str
    source: str
    node: str | None = None
    spread: tuple[float, float] | None = None
    verified: bool = True

    def __str__(self) -> str:
        """Value, unit, spread, source and node on one line, as `5.5e+06 pJ [4.7e+06, 1.8e+07] (source; 45 nm)`."""
        spread = "" if self.spread is None else f" [{self.spread[0]:.4g}, {self.spread[1]:.4g}]"
        origin = "; ".join((self.source, *([self.node] if self.node else []), *([] if self.verified else ["unverified"])))
        return f"{self.value:.4g} {self.unit}{spread} ({origin})"

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_json(self) -> dict[str, Any]:
        """A JSON object with value, unit, source, node, spread, verified."""
        return {
            "value": self.value,
            "unit": self.unit,
            "source": self.source,
            "node": self.node,
            "spread": list(self.spread) if self.spread else None,
            "verified": self.verified,
        }
