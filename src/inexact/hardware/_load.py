"""Accelerators from presets and TOML files."""

from __future__ import annotations

from math import ceil
from pathlib import Path

from inexact.core.errors import HardwareError
from inexact.hardware._accelerator import Accelerator
from inexact.hardware._clock import check_clock
from inexact.hardware._description import describe


def load(name_or_path: str | Path) -> Accelerator:
    """The accelerator of a preset ("edge-16x16") or of a TOML file.

    Raises HardwareError for unknown names, unreadable files, missing, unknown or negative entries, a clock the arithmetic cannot meet,
    and memories that cannot hold one tile.
    """
    found = describe(name_or_path)
    machine = Accelerator(
        name=found.name,
        summary=found.summary,
        source=found.source,
        technology=found.technology,
        dataflows=found.dataflows,
        numbers=found.numbers,
        memory_descriptions=found.memories,
        words=found.words,
        multiplier=found.multiplier,
    )
    check_clock(machine)
    _check_tile(machine)
    return machine


def _check_tile(machine: Accelerator) -> None:
    """Each memory holds what the array takes in one fold of 8-bit operands and 32-bit sums, twice for double buffering."""
    if "row_stationary" in machine.dataflows:
        return
    rows, columns = machine.rows, machine.columns
    needed = {"inputs": rows * 8 * 2, "weights": rows * columns * 8 * 2, "outputs": columns * 8 * 2, "sums": max(rows, columns) * 32 * 2}
    for memory in machine.memories.values():
        bits = sum(needed[role] for role in memory.holds)
        if memory.bits < bits:
            raise HardwareError(
                f"memories.{memory.name} of {machine.name} must hold one {rows}x{columns} tile twice "
                f"({ceil(bits / 8192 * 1000) / 1000:g} KiB), not {memory.bits / 8192:g} KiB"
            )
