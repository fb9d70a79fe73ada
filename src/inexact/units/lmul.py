"""L-Mul: a float product by one integer addition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np

from inexact.circuits import ONE, ZERO, Builder, Wires
from inexact.circuits.words import mux_word, or_tree
from inexact.core.errors import require_range
from inexact.units._base import Integers
from inexact.units._float import FloatMultiplier, Reals, float_multipliers
from inexact.units._wiring import add

AUTO = 0


@float_multipliers.register("lmul")
@final
@dataclass(frozen=True, kw_only=True)
class LMul(FloatMultiplier):
    """Linear-complexity multiplication: (1+x)(1+y) is taken as 1 + s, s = x + y + 2**-offset.

    format: of the operands. offset: 1..16; 0 takes the paper's l(m): m for m <= 3 mantissa bits, 3 for 4, 4 above. carry: what a sum
    s >= 1 does: true, it carries into the exponent, as adding the codes as integers does, giving 2s; false, the formula as written.
    Error: two-sided; without carry 2**-offset - xy: for long mantissas and offset 3 the mean relative error is -3.41 %, 7.08 % in
    size. With carry the short formats lean above exact (5.0 % for e4m3). Exact on zero.

    Reference: H. Luo, W. Sun, "Addition is all you need for energy-efficient language models", 2024, doi:10.48550/arXiv.2410.00907
    """

    format: str = field(default="e4m3", metadata={"written": True})
    offset: int = AUTO
    carry: bool = True

    def check(self) -> None:
        """The offset's range."""
        require_range("offset", self.offset, 0, 16, bound="0 = the paper's, else a power 2**-offset")

    @property
    def power(self) -> int:
        """The offset in use: 2**-power is added."""
        bits = self.layout.fraction_bits
        return self.offset or (bits if bits <= 3 else 3 if bits == 4 else 4)

    def significand(self, x: Integers, y: Integers) -> Reals:
        """One addition."""
        s = (x + y) / 2.0**self.layout.fraction_bits + 2.0**-self.power
        return np.where((s >= 1) & self.carry, 2 * s, 1 + s)

    @property
    def point(self) -> int:
        """Of the fractions, or of the offset."""
        return max(self.layout.fraction_bits, self.power)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """Two additions, and what the carry does."""
        point, lower = self.point, [ZERO] * (self.point - self.layout.fraction_bits)
        total = add(b, (*lower, *x[:-1]), (*lower, *y[:-1]))
        s = add(b, total, b.constant(1 << (point - self.power), max(1, point)))
        if not self.carry:
            return add(b, s, b.constant(1 << point, point + 1))
        return mux_word(b, or_tree(b, s[point:]), (*s[:point], ONE), (ZERO, *s))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Every small format; another offset; without carry; half precision."""
        every = [cls(format=name) for name in ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1")]
        return [*every, cls(offset=4), cls(carry=False), cls(format="fp16", carry=False)]
