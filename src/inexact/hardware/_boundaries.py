"""Components of energy, and the four boundaries at which a saving is told."""

from __future__ import annotations

from collections.abc import Iterable

ARRAY = (
    "multipliers",
    "adders",
    "registers",
    "scratchpads",
    "sign_logic",
    "unit_selection",
    "zero_points",
    "correction_column",
    "reduction_control",
    "control",
    "idle_pes",
    "leakage_array",
)
"""Energy components of the PE array."""

BEHIND = ("vector_unit", "requantisation", "leakage_buffers")
"""Energy components on the chip beside the array and its memories, of which each has its own."""

DRAM = "dram"
BOUNDARIES = ("multiplier", "array", "on_chip", "with_dram")
"""What a saving is a share of: the multipliers alone, the PE array, the chip, the chip with its DRAM."""


def within(boundary: str, components: Iterable[str]) -> tuple[str, ...]:
    """The components inside a boundary."""
    if boundary == "multiplier":
        return ("multipliers",)
    if boundary == "array":
        return ARRAY
    return tuple(name for name in components if boundary == "with_dram" or name != DRAM)
