"""A float product whose significands go through an integer multiplier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np

from inexact.circuits import Builder, Wires
from inexact.circuits.words import extend
from inexact.core.errors import SpecError
from inexact.units._base import Integers, Multiplier, multipliers
from inexact.units._float import FloatMultiplier, Reals, float_multipliers
from inexact.units.sign_magnitude import at_width


@float_multipliers.register("float_mantissa")
@final
@dataclass(frozen=True, kw_only=True)
class FloatMantissa(FloatMultiplier):
    """Signs and exponents exact, significands 1.x and 1.y (m + 1 bits each) by any unsigned integer unit.

    multiplier: the unit or its spec; one of width 8x8 is made as wide as the significands, any other must be at least that wide.
    "exact" gives the exact float multiplier. format: of the operands.
    Error: the unit's relative error on operands whose leading bit is 1; exact on zero.

    Reference: H. Saadat, H. Bokhari, S. Parameswaran, "Minimally biased multipliers for approximate integer and floating-point
    multiplication", IEEE TCAD 37(11), 2018
    """

    format: str = field(default="e4m3", metadata={"written": True})
    multiplier: Multiplier | str = field(default="mitchell", metadata={"written": True, "foreign": True})

    def check(self) -> None:
        """An unsigned unit that takes the significands."""
        unit, bits = multipliers.get(self.multiplier), self.layout.fraction_bits + 1
        if unit.signed:
            raise SpecError(f"multiplier must be an unsigned unit (significands are positive), not {unit.spec}")
        if unit.width == (8, 8):
            unit = at_width(unit, (bits, bits))
        if min(unit.width) < bits:
            raise SpecError(f"multiplier must take significands of {bits} bits ({self.format}), not {unit.width[0]}x{unit.width[1]}")
        object.__setattr__(self, "multiplier", unit)

    def significand(self, x: Integers, y: Integers) -> Reals:
        """The unit's product of the significands as integers."""
        hidden = np.int64(1) << self.layout.fraction_bits
        return multipliers.get(self.multiplier).product(hidden + x, hidden + y) / 4.0**self.layout.fraction_bits

    @property
    def exact_significands(self) -> bool:
        """With an exact unit."""
        return multipliers.get(self.multiplier).family_name == "exact"

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """The unit's gates."""
        unit = multipliers.get(self.multiplier)
        circuit = unit.circuit()
        return None if circuit is None else b.include(circuit, extend(x, unit.width[0]), extend(y, unit.width[1]))[0]

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Exact and approximate significands in every small format."""
        exact = [cls(format=name, multiplier="exact") for name in ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "posit8_0", "posit8_2")]
        specs = ("mitchell", "drum(k=2)", "realm(segments=2)", "recursive(blocks=k)")
        return [*exact, *(cls(multiplier=spec) for spec in specs), cls(format="posit8_1"), cls(format="bf16")]
