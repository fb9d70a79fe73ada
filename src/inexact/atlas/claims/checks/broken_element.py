"""What one broken element of an array costs, and what is left of it once the element is passed by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from inexact.atlas.claims._networks import check_images, correct, correct_after, emulated
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.errors import ClaimError


@kinds.register("broken_element")
@final
@dataclass(frozen=True, kw_only=True)
class BrokenElement(Check):
    """Points that bit `bit` of the product register of one element, stuck at `value`, costs a network; mean over `elements` random elements
    of `machine`, with its 95 % t interval.

    switched_off: operands and sums go past the element instead, and its products are left out.
    """

    network: str
    data: str
    rules: dict[str, Any]
    bit: int = 14
    value: int = 1
    switched_off: bool = False
    machine: str = "edge-16x16"
    dataflow: str = "weight_stationary"
    elements: int = 8
    images: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        check_images(self.images)
        if self.elements < 2:
            raise ClaimError(f"elements must be at least 2 for an interval, not {self.elements}")

    @property
    def unit(self) -> str:
        """Points."""
        return "points"

    def measure(self) -> Measured:
        """By emulating every broken array."""
        from inexact import hardware
        from inexact.reliability import ElementFault, placements, with_broken_element

        net, machine = emulated(self.network, self.data, self.rules), hardware.load(self.machine)
        whole = correct(self.network, self.data, self.rules, self.images)
        where = placements(net, machine, net.layers(), dataflow=self.dataflow)
        places = np.random.default_rng(self.seed).integers(0, (machine.rows, machine.columns), (self.elements, 2))
        lost = []
        for row, column in places.tolist():
            fault = ElementFault(row=row, column=column, value=self.value, bit=self.bit, switched_off=self.switched_off)
            right = correct_after(with_broken_element(net, where, fault), self.data, self.images)
            lost.append(100 * (float(whole.mean()) - float(right.mean())))
        detail = f"one of {machine.rows * machine.columns} elements, {self.network} on {self.data}, {self.dataflow.replace('_', ' ')}"
        return Measured.mean(lost, detail=detail)
