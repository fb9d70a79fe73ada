"""What the user says about a file, and what importing it gives."""

from __future__ import annotations

from dataclasses import dataclass

from inexact.importers._evidence import Index
from inexact.units.netlist import NetlistUnit
from inexact.units.table import TableUnit

Side = str
"""Which operand the first index (or parameter) is: "a" (activation) or "b" (weight)."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What the user says about a file; None where the file must tell. width: bits of (a, b). first: "a" or "b", the first index."""

    width: tuple[int, int] | None = None
    signed: bool | None = None
    first: Side | None = None
    index: Index | None = None


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A unit and, in words, every assumption made on the way. score: mean |error| over mean |product|, uniform operands."""

    unit: TableUnit | NetlistUnit
    assumptions: tuple[str, ...]
    score: float
