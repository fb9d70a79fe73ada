"""A function by a table over the leading bits of its argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np

from inexact.circuits import Builder, Wires, synthesize
from inexact.circuits.logic import MAX_INPUTS
from inexact.units._function import TARGETS, Codes, Function, FunctionGolden, functions, require_power, require_target
from inexact.units._gates import GateCount, constant_lookup


@functions.register("lookup")
@final
@dataclass(frozen=True, kw_only=True)
class Lookup(Function):
    """One stored result per group of arguments with equal leading bits: the function at the middle of the group, rounded to nearest.

    function: exp, gelu, rsqrt, sigmoid or tanh. entries: power of two, 2..2**width; as many as arguments give the correctly rounded
    function. width, fraction, out_width, out_fraction: formats of argument and result.
    Error: half the function's change over a group and half a unit in the last place; saturates where the function leaves the range.

    Reference: P.-T. P. Tang, "Table-lookup algorithms for elementary functions and their error analysis", IEEE Symposium on Computer
    Arithmetic, 1991, doi:10.1109/ARITH.1991.145565
    """

    function: str = field(default="gelu", metadata={"written": True})
    entries: int = field(default=64, metadata={"written": True})
    width: int = 8
    fraction: int = 4
    out_width: int = 16
    out_fraction: int = 12

    def check(self) -> None:
        """A known function; no more entries than arguments."""
        require_target(self.function, tuple(TARGETS))
        require_power("entries", self.entries, 2, 1 << self.width, "one per value of the leading bits")

    @property
    def target(self) -> str:
        """The function."""
        return self.function

    @property
    def _dropped(self) -> int:
        return self.width - self.entries.bit_length() + 1

    def evaluate(self, codes: Codes) -> Codes:
        """The entry of the leading bits."""
        step = 1 << self._dropped
        middle = np.asarray(((codes >> self._dropped) * step + (step - 1) / 2) / 2.0**self.fraction, dtype=np.float64)
        low, high = -(2.0**31), 2.0**31
        return np.rint(np.clip(np.nan_to_num(self.exact(middle) * 2.0**self.out_fraction, posinf=high), low, high)).astype(np.int64)

    def golden(self) -> FunctionGolden | None:
        """With an entry per argument every result is correctly rounded."""
        return FunctionGolden(max_ulp=0.5, source="rounding to nearest") if self.entries == 1 << self.width else None

    def place(self, b: Builder, x: Wires) -> Wires | None:
        """The table as logic of the leading bits; none for more than 256 entries."""
        if self.entries > 1 << MAX_INPUTS:
            return None
        every = self.table()[:: 1 << self._dropped].tolist()
        return synthesize(b, [[(code >> bit) & 1 for code in every] for bit in range(self.out_width)], x[self._dropped :])

    def gates(self) -> GateCount:
        """The table as multiplexers with equal subtrees shared."""
        every = self.table()[:: 1 << self._dropped]
        return constant_lookup([int(code) % (1 << self.out_width) for code in every], self.out_width)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Every function; coarse and complete tables; other formats."""
        coarse = [cls(function=name) for name in TARGETS]
        return [
            *coarse,
            *(cls(function=name, entries=256) for name in TARGETS),
            cls(entries=16, width=6, fraction=3, out_width=8, out_fraction=4),
        ]
