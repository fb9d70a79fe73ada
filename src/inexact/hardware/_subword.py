"""Elements whose multiplier splits into two halves or four quarters, and what the splitting costs, by synthesis."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from inexact.hardware._constants import read_toml

if TYPE_CHECKING:
    from inexact.core.workload import Arithmetic
    from inexact.hardware._accelerator import Accelerator

WIDTH = 16
"""Bits of an element's operands as a whole."""


@cache
def overheads() -> dict[str, float]:
    """What the array that splits (`circuits.subword`) takes over plain arrays: area, delay, leakage; energy_1, energy_2, energy_4 of as
    many products at once."""
    found = read_toml(Path(str(resources.files("inexact.hardware"))) / "subword.toml", "table")
    return {name: float(entry["value"]) for name, entry in found.items()}


@cache
def source() -> str:
    """How the overheads were found."""
    found = read_toml(Path(str(resources.files("inexact.hardware"))) / "subword.toml", "table")
    return f"times what splitting the array takes more, by {found['area']['source']}"


def overhead(machine: Accelerator, name: str) -> float:
    """An overhead of a machine's elements; 1 where they do not split."""
    return overheads()[name] if machine.style == "subword" else 1.0


def part_bits(held: Arithmetic) -> int:
    """Bits of the parts that hold a layer's operands: 4, 8 or 16; the sign of a magnitude stands beside them."""
    needed = max(held.a_bits, held.b_bits - (held.coding == "sign_magnitude"))
    return next(bits for bits in (WIDTH // 4, WIDTH // 2, WIDTH) if needed <= bits or bits == WIDTH)


def products_at_once(held: Arithmetic) -> int:
    """Of an element: 1, 2 or 4."""
    return WIDTH // part_bits(held)
