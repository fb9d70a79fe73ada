"""What a plan costs a trained network in accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import FLOAT32, INT8, check_images, correct
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.metrics import paired_difference, wilson

REFERENCES = {"float32": FLOAT32, "int8": INT8}


@kinds.register("network_drop")
@final
@dataclass(frozen=True, kw_only=True)
class NetworkDrop(Check):
    """Top-1 accuracy lost under `rules` (a plan's table: layer key -> rule) on the first `images` test images, in points, paired, 95 %.

    network, data: of the zoo. against: float32, or int8, the exact 8-bit network. shows: drop; top1 gives the accuracy itself, in percent.
    """

    network: str
    data: str
    rules: dict[str, Any]
    images: int = 10_000
    against: str = "float32"
    shows: str = "drop"

    def __post_init__(self) -> None:
        check_images(self.images)
        one_of("against", self.against, tuple(REFERENCES))
        one_of("shows", self.shows, ("drop", "top1"))

    @property
    def unit(self) -> str:
        """Points lost, or percent."""
        return "points" if self.shows == "drop" else "%"

    def measure(self) -> Measured:
        """On test images."""
        right = correct(self.network, self.data, self.rules, self.images)
        where = f"{self.network} on {self.data}"
        if self.shows == "top1":
            low, high = wilson(int(right.sum()), len(right))
            return Measured(value=100 * float(right.mean()), low=100 * low, high=100 * high, n=len(right), detail=where)
        found = paired_difference(correct(self.network, self.data, REFERENCES[self.against], self.images), right)
        return Measured(
            value=100 * found.drop, low=100 * found.low, high=100 * found.high, n=found.n, detail=f"{where}, against {self.against}"
        )
