"""8x8 multipliers evolved from exact ones: for every goal and bound the cheapest that the search found."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Self, final

from inexact import circuits
from inexact.circuits import Builder, Circuit, Op, Wires
from inexact.core.errors import SpecError, near
from inexact.units._base import Integers, Multiplier, multipliers, principal
from inexact.units._gates import GateCount, counted


@multipliers.register("evolved")
@final
@dataclass(frozen=True, kw_only=True)
class Evolved(Multiplier):
    """One of the evolved multipliers that ship with the project; `names()` lists them, `goal` says what each was bred for.

    name: the run and its bound: mae, wce, zero (mae, zero operands exact, no bias), tame (mse, bounded wce), folded and column (what a
    correction leaves), lenet… (under the operands of LeNet-5's second convolution); with s before it two's complement operands, with k
    behind it the search could also start from parametric circuits.
    width: always 8 bits.

    Error: as bred, below its bound; two-sided, and wrong at zero operands except in the runs `zero`.

    Reference: Z. Vasicek, L. Sekanina, "Evolutionary approach to approximate digital circuits design", IEEE Trans. Evol. Comput. 19(3),
    2015, DOI 10.1109/TEVC.2014.2336175 (the method; the circuits are made by scripts/evolve_units)
    """

    name: str = principal("mae_24p2")
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """The name must be one of those shipped, the width 8 bits."""
        if self.name not in _stored():
            raise SpecError(f"no evolved multiplier is called {self.name!r}{near(self.name, _stored())} Known: {', '.join(_stored())}")
        if self.width != (8, 8):
            raise SpecError(f"evolved multipliers have operands of 8 bits, not {self.width[0]}x{self.width[1]}")

    @property
    def signed(self) -> bool:
        """Whether the circuit multiplies two's complement numbers."""
        return bool(_stored().get(self.name, {}).get("signed"))

    @property
    def goal(self) -> str:
        """What it was bred for."""
        return str(_stored()[self.name]["goal"])

    def product(self, a: Integers, b: Integers) -> Integers:
        """What the gates give, simulated bit-parallel."""
        return circuits.evaluate(_circuit(self.name), a, b)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires:
        """The evolved cells."""
        return b.include(_circuit(self.name), x, y)[0]

    def gates(self) -> GateCount:
        """The evolved cells."""
        return counted(_circuit(self.name))

    @classmethod
    def names(cls) -> Sequence[str]:
        """All of them."""
        return tuple(_stored())

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """The loosest and the tightest of every goal."""
        families: dict[str, list[str]] = {}
        for name in _stored():
            families.setdefault(name.partition("_")[0], []).append(name)
        return [cls(name=name) for members in families.values() for name in dict.fromkeys((members[0], members[-1]))]


@functools.lru_cache(maxsize=1)
def _stored() -> dict[str, Any]:
    text = resources.files("inexact.units").joinpath("evolved.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@functools.lru_cache(maxsize=256)
def _circuit(name: str) -> Circuit:
    """The stored cells on buses a, b -> y."""
    stored = _stored()[name]
    b = Builder(f"evolved_{name}", simplify=False)
    wires = [0, 1, *(wire for bus in "ab" for wire in b.input(bus, 8, signed=stored["signed"]))]
    for kind, *sources in stored["cells"]:
        wires += b.place(Op(kind), [wires[source] for source in sources])
    b.output("y", [wires[wire] for wire in stored["outputs"]], signed=stored["signed"])
    return b.build()
