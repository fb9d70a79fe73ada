"""What a recovery changes, needs and costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

CHANGES = ("modes", "channels", "ranges", "weights", "columns", "gain", "bias")
"""What a recovery may change in a layer, in the order in which stages of a chain should change it."""


@final
@dataclass(frozen=True, kw_only=True)
class Facts:
    """changes: of `CHANGES`. inputs: calibration inputs it takes unless told otherwise; 0: it needs none. least: fewest it accepts.
    time: what finding it costs. hardware: what it adds to the accelerator, whose model charges columns and divided channels, nothing else.
    """

    changes: frozenset[str]
    inputs: int = 128
    least: int = 1
    time: str = "one forward pass"
    hardware: str = "none"
