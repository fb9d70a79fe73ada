"""What a unit gives for one pair of operands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact import units
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of


@kinds.register("unit_result")
@final
@dataclass(frozen=True, kw_only=True)
class UnitResult(Check):
    """target: a multiplier's spec. a, b: operands. shows: "product", or "relative_error" of it in percent."""

    target: str
    a: int
    b: int
    shows: str = "product"

    def __post_init__(self) -> None:
        one_of("shows", self.shows, ("product", "relative_error"))

    @property
    def unit(self) -> str:
        """lsb of the product, or percent."""
        return "lsb" if self.shows == "product" else "%"

    def measure(self) -> Measured:
        """One multiplication."""
        product = int(units.get(self.target)(self.a, self.b))
        return Measured.exact(
            product if self.shows == "product" else 100 * (product / (self.a * self.b) - 1), detail=f"product {product}", n=1
        )
