"""Whether two designs answer the same, number for number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import check_images, logits
from inexact.atlas.claims.checks._base import Check, Measured, kinds


@kinds.register("same_outputs")
@final
@dataclass(frozen=True, kw_only=True)
class SameOutputs(Check):
    """Of the first `images` test images, those for which a network puts out another number under `rules` than under `reference`."""

    network: str
    data: str
    rules: dict[str, Any]
    reference: dict[str, Any]
    images: int = 1000

    def __post_init__(self) -> None:
        check_images(self.images)

    @property
    def unit(self) -> str:
        """A count."""
        return "images"

    def measure(self) -> Measured:
        """Bit for bit."""
        own, other = (logits(self.network, self.data, rules, self.images) for rules in (self.rules, self.reference))
        return Measured.exact(int((own != other).any(1).sum()), n=self.images, detail=f"{self.network} on {self.data}")
