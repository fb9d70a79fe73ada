"""Cycles and accesses of a systolic array for one matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of

SHOWS = ("cycles", "inputs", "weights", "outputs")


@kinds.register("systolic_count")
@final
@dataclass(frozen=True, kw_only=True)
class SystolicCount(Check):
    """A product of `pixels` x `window` and `window` x `filters` on `rows` x `columns` elements under `dataflow`.

    shows: cycles, as SCALE-Sim counts them from 0 on (one less than there are); inputs, weights or outputs that pass the edge of the array.
    """

    rows: int
    columns: int
    dataflow: str
    pixels: int
    window: int
    filters: int
    shows: str = "cycles"

    def __post_init__(self) -> None:
        one_of("shows", self.shows, SHOWS)
        one_of("dataflow", self.dataflow, ("weight_stationary", "output_stationary", "input_stationary"))

    @property
    def unit(self) -> str:
        """Cycles, or words."""
        return "cycles" if self.shows == "cycles" else "words"

    def measure(self) -> Measured:
        """By the closed form."""
        from inexact import hardware

        shape = (self.dataflow, self.rows, self.columns, self.pixels, self.window, self.filters)
        if self.shows == "cycles":
            return Measured.exact(hardware.compute_cycles(*shape) - 1)
        return Measured.exact(getattr(hardware.array_accesses(*shape), self.shows))
