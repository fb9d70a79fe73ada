"""Three multipliers and a voter: every product bit is what at least two of them say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

from inexact.core.errors import SpecError
from inexact.units._base import Integers, Multiplier, multipliers
from inexact.units._gates import GateCount
from inexact.units.stuck_at import product_word


@multipliers.register("voted")
@final
@dataclass(frozen=True, kw_only=True)
class Voted(Multiplier):
    """Triple modular redundancy: three replicas of one width, sign and product register, and a majority voter a product bit.

    first, second, third: the replicas; three equal ones hide every fault of one of them, and approximate ones in the place of two
    (approximate TMR) most of them for less area. The voter is taken to be free of faults. There is no netlist: replicas must not share
    gates, as equal logic of one netlist would. width: that of the replicas.
    Error: none where two replicas agree with the exact product in every bit; of approximate replicas any.

    Reference: T. Arifeen, A. S. Hassan, J.-A. Lee, "Approximate triple modular redundancy: a survey", IEEE Access 8, 2020
    """

    first: Multiplier | str = field(default="exact", metadata={"written": True})
    second: Multiplier | str = field(default="exact", metadata={"written": True})
    third: Multiplier | str = field(default="exact", metadata={"written": True})
    width: tuple[int, int] = (8, 8)

    @property
    def replicas(self) -> tuple[Multiplier, Multiplier, Multiplier]:
        """The three multipliers."""
        return multipliers.get(self.first), multipliers.get(self.second), multipliers.get(self.third)

    @property
    def signed(self) -> bool:
        """That of the replicas."""
        return self.replicas[0].signed

    def check(self) -> None:
        """Replicas that give the same kind of word."""
        for name, unit in zip(("first", "second", "third"), self.replicas, strict=True):
            object.__setattr__(self, name, unit)
        first, *others = ((unit.width, unit.signed, product_word(unit)) for unit in self.replicas)
        if any(other != first for other in others):
            kinds = ", ".join(f"{unit.spec}: {product_word(unit)[0]} bits" for unit in self.replicas)
            raise SpecError(f"replicas must have one width, sign and product register, but these have not: {kinds}")
        if self.width not in {(8, 8), first[0]}:
            raise SpecError(f"width must be that of the replicas, {first[0][0]}x{first[0][1]}, not {self.width}; leave it away")
        object.__setattr__(self, "width", first[0])

    def product(self, a: Integers, b: Integers) -> Integers:
        """The majority of every bit of the three products; signs extend, so that they may be voted as they are."""
        x, y, z = (unit.product(a, b) for unit in self.replicas)
        return (x & y) | (z & (x | y))

    def gates(self) -> GateCount | None:
        """The replicas side by side, then two ANDs and two ORs a product bit."""
        parts = [unit.gates() for unit in self.replicas]
        if parts[0] is None or parts[1] is None or parts[2] is None:
            return None
        bits = product_word(self.replicas[0])[0]
        return (parts[0] + parts[1] + parts[2]).then(GateCount(and2=2 * bits, or2=2 * bits, levels=3))

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Three equal replicas, two approximate ones, signed ones, a broken one."""
        return [
            cls(),
            cls(second="trunc(cut=4)", third="bam(hbl=0,vbl=5)"),
            cls(first="exact(signed=true)", second="trunc(cut=6,signed=true)", third="trunc(cut=6,signed=true)"),
            cls(first="stuck_at(multiplier=exact,net='y[15]',value=1)"),
            *(cls(first=narrow, second=narrow, third=narrow) for narrow in ("trunc(cut=2,width=4)", "trunc(cut=2,width=(8,4))")),
        ]
