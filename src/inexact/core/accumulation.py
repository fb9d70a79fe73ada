"""How a sum of products is formed by adders that are not exact: plain data between units, which describe it, and engines, which run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Bits = Literal["exact", "truncated", "lower_or", "lower_or_carry", "copied", "saturated", "segmented"]
BIT_RULES: tuple[Bits, ...] = ("exact", "truncated", "lower_or", "lower_or_carry", "copied", "saturated", "segmented")


@dataclass(frozen=True, kw_only=True)
class BitRule:
    """Which bits an adder forms, for engines that inline it. Every result bit depends on operand bits at or below it only, or, in the
    lower part, within the lower part; so the sum modulo 2**width does not depend on the width.

    kind "exact"; "truncated": the lowest `low` bits are 0; "lower_or": they are ORed, "lower_or_carry": and the AND of their top bits is
    carried; "copied": they are b's, and a's top one is carried; "saturated": from the highest position where both are 1 downwards
    they are 1, above it their XOR; "segmented": the bits from `reach` on are cut in segments of `step` bits, and the carry into each is
    that of the `reach` bits below it alone.
    """

    kind: Bits = "exact"
    low: int = 0
    step: int = 0
    reach: int = 0


Add = Callable[[Any, Any], Any]
"""Sum of two arrays of unsigned bit patterns, int64; what exceeds the width is cut off by the caller."""


@dataclass(frozen=True, kw_only=True)
class Accumulation:
    """A two's complement accumulator of `width` bits (2..32) and the order in which products reach it.

    rule: the adder's bits, None when no engine knows them. add: the same adder as a function of numpy arrays.
    saturate: whether a sum whose sign is not that of its equally signed operands becomes the greatest or least value; else it wraps.
    chained: products of one group are added one after another, starting at 0; else by a balanced tree of two-operand adders.
    group: products of one group (a power of two for a tree); the last group is filled with zeros, which are added. Groups are added
    to the accumulator in order; it starts at 0.
    """

    rule: BitRule | None
    add: Add
    width: int
    saturate: bool = False
    chained: bool = False
    group: int = 1
