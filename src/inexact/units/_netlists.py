"""Netlists of units, placed once and kept."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from inexact.circuits import Builder, Circuit, Wires

if TYPE_CHECKING:
    from inexact.units._base import Multiplier, Unit


@functools.lru_cache(maxsize=1024)
def plain(unit: Unit) -> Circuit | None:
    """Of operands as they are."""
    b = _named(unit.spec)
    x, y = (b.input(name, bits, signed=unit.signed) for name, bits in zip("ab", unit.width, strict=True))
    return _built(b, unit.place(b, x, y), signed=unit.signed)


@functools.lru_cache(maxsize=1024)
def switched(unit: Multiplier) -> Circuit | None:
    """Of all modes of a reconfigurable unit, whose code is the upper bits of b."""
    b, (wa, wb) = _named(f"{unit.spec} switched"), unit.width
    x, y = (b.input(name, bits, signed=unit.signed) for name, bits in (("a", wa), ("b", wb + unit.mode_bits)))
    return _built(b, unit.place_switched(b, x, y[:wb], y[wb:]), signed=unit.signed)


@functools.lru_cache(maxsize=1024)
def stored(unit: Multiplier) -> Circuit | None:
    """Of an activation and the code that a weight is stored in."""
    values = unit.stored_values()
    if not values:
        return None
    b = _named(f"{unit.spec} stored")
    x, y = b.input("a", unit.width[0], signed=unit.signed), b.input("b", (len(values) - 1).bit_length())
    return _built(b, unit.place_stored(b, x, y), signed=unit.signed)


def _built(b: Builder, result: Wires | None, *, signed: bool) -> Circuit | None:
    if result is None:
        return None
    b.output("y", result, signed=signed)
    return b.build()


def _named(text: str) -> Builder:
    return Builder(re.sub(r"\W+", "_", text).strip("_"))
