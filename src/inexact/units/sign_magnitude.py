"""Signed multiplication by an unsigned unit: magnitudes are multiplied, the sign is put back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np

from inexact.circuits import ZERO, Builder, Wires
from inexact.circuits.adders import ripple
from inexact.circuits.words import and_word, or_tree
from inexact.core.errors import SpecError, near
from inexact.units._base import Integers, Multiplier, multipliers
from inexact.units._gates import GateCount, ripple_adder

COMPLEMENTS = ("two", "one")
DEFAULT = (8, 8)


def at_width(unit: Multiplier, width: tuple[int, int]) -> Multiplier:
    """The same unit for other operand widths; SpecError when its parameters do not allow them."""
    try:
        return unit if unit.width == width else dataclasses.replace(unit, width=width)  # type: ignore[type-var]
    except TypeError as error:
        raise SpecError(f"{unit.spec} has one width ({unit.width[0]}x{unit.width[1]}) and cannot be made {width[0]}x{width[1]}") from error


@multipliers.register("sign_magnitude")
@final
@dataclass(frozen=True, kw_only=True)
class SignMagnitude(Multiplier):
    """Two's complement operands through an unsigned unit: `sign(a) sign(b) U(|a|, |b|)`; the sign is never dropped.

    multiplier: the unsigned unit, a unit or its spec. complement: "two", exact magnitudes; or "one", magnitudes and result by
    inverting bits: |a| = -a - 1 for a < 0, and a negative result is one less (published for Mitch-w); zero operands are then
    detected and give 0. width: bits of (a, b), also the unit's (|-2**(n-1)| needs n bits); a unit of another width than 8x8 sets
    it. Always signed.
    Error: the unit's, odd in either operand for "two"; "one" adds an error even on pairs the unit gets right.

    Reference: S. Hashemi, R. I. Bahar, S. Reda, "DRUM: a dynamic range unbiased multiplier for approximate applications",
    ICCAD 2015, doi:10.1109/ICCAD.2015.7372600 (two); M. S. Kim, A. A. Del Barrio, L. T. Oliveira, R. Hermida, N. Bagherzadeh,
    "Efficient Mitchell's approximate log multipliers for convolutional neural networks", IEEE Transactions on Computers 68(5), 2019,
    doi:10.1109/TC.2018.2880742 (one)
    """

    multiplier: Multiplier | str = field(default="mitchell", metadata={"written": True})
    complement: str = "two"
    width: tuple[int, int] = (8, 8)

    @property
    def signed(self) -> bool:
        """Two's complement."""
        return True

    def check(self) -> None:
        """An unsigned unit, at one width."""
        inner = multipliers.get(self.multiplier)
        if inner.signed:
            raise SpecError(f"multiplier must be an unsigned unit (its operands are magnitudes), not {inner.spec}")
        if inner.width == DEFAULT:
            inner = at_width(inner, self.width)
        elif self.width not in (DEFAULT, inner.width):
            raise SpecError(
                f"width must be the multiplier's ({inner.width[0]}x{inner.width[1]}), not {self.width[0]}x{self.width[1]}; give one"
            )
        object.__setattr__(self, "multiplier", inner)
        object.__setattr__(self, "width", inner.width)
        if self.complement not in COMPLEMENTS:
            raise SpecError(f"complement must be two or one, not {self.complement!r}{near(str(self.complement), COMPLEMENTS)}")

    @property
    def unit(self) -> Multiplier:
        """The unsigned unit."""
        return multipliers.get(self.multiplier)

    def product(self, a: Integers, b: Integers) -> Integers:
        """The unit's product of the magnitudes with the sign of the exact product."""
        below = int(self.complement == "one")
        size_a, size_b = (np.where(x < 0, -x - below, x) for x in (a, b))
        size = self.unit.product(size_a, size_b)
        result = np.where((a < 0) ^ (b < 0), -size - below, size)
        return np.where((a == 0) | (b == 0), 0, result) if below else result

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """Inverters and incrementers around the unit's gates."""
        two = self.complement == "two"
        size = self.unit.place(b, *(_signed(b, word, word[-1], increment=two) for word in (x, y)))
        if size is None:
            return None
        result = _signed(b, (*size, ZERO), b.xor_(x[-1], y[-1]), increment=two)
        return result if two else and_word(b, result, b.and_(or_tree(b, x), or_tree(b, y)))

    def gates(self) -> GateCount | None:
        """The unit; an XOR per operand and result bit; for "two" the incrementers, for "one" the zero detectors."""
        inner = self.unit.gates()
        if inner is None:
            return None
        out = sum(self.width)
        front, back = GateCount(xor2=out, levels=2), GateCount(xor2=out + 1, levels=2)
        if self.complement == "one":
            return front.then(inner).then(back).then(GateCount(or2=out - 2, and2=out, levels=1))
        carry = [GateCount(half_adder=bits, levels=ripple_adder(bits).levels) for bits in (*self.width, out)]
        return front.then(carry[0] + carry[1]).then(inner).then(back).then(carry[2])

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Units of every kind: segment, logarithmic, array; both complements; other widths."""
        specs = ("drum(k=4)", "mitchell", "tosam(h=2,t=6)", "bam(hbl=0,vbl=6)", "kulkarni", "drum(k=3,width=(8,4))", "mitchell(width=4)")
        units = [cls(multiplier=multipliers.get(spec)) for spec in specs]
        return [*units, cls(multiplier=multipliers.get("mitchw(w=6)"), complement="one")]


def _signed(b: Builder, word: Wires, negative: int, *, increment: bool) -> Wires:
    """The word or its complement, in the same bits."""
    inverted = tuple(b.xor_(wire, negative) for wire in word)
    return ripple(b, inverted, (ZERO,) * len(word), negative)[: len(word)] if increment else inverted
