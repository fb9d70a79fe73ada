"""Which of two designs costs a network more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import FLOAT32, check_images, correct
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.metrics import paired_difference


@kinds.register("drop_difference")
@final
@dataclass(frozen=True, kw_only=True)
class DropDifference(Check):
    """Points that the design `more` loses beyond those of `less`, both against float32; above 0, `more` costs more.

    more, less: rules, a plan's table. On one network and data set the difference is paired, image by image; with another `network_less` or
    `data_less` its interval combines those of both drops (Zou and Donner, 2008, doi:10.1002/sim.3095).
    """

    network: str
    data: str
    more: dict[str, Any]
    less: dict[str, Any]
    network_less: str = ""
    data_less: str = ""
    images: int = 10_000

    def __post_init__(self) -> None:
        check_images(self.images)

    @property
    def unit(self) -> str:
        """Points."""
        return "points"

    def measure(self) -> Measured:
        """On test images."""
        other = (self.network_less or self.network, self.data_less or self.data)
        more, less = correct(self.network, self.data, self.more, self.images), correct(*other, self.less, self.images)
        where = f"{self.network} on {self.data}"
        if other == (self.network, self.data):
            found = paired_difference(less, more)
            return Measured(value=100 * found.drop, low=100 * found.low, high=100 * found.high, n=found.n, detail=where)
        first = paired_difference(correct(self.network, self.data, FLOAT32, self.images), more)
        second = paired_difference(correct(*other, FLOAT32, self.images), less)
        value = first.drop - second.drop
        low = value - math.hypot(first.drop - first.low, second.high - second.drop)
        high = value + math.hypot(first.high - first.drop, second.drop - second.low)
        detail = f"{where} over {' on '.join(other)}"
        return Measured(value=100 * value, low=100 * low, high=100 * high, n=first.n + second.n, detail=detail)
