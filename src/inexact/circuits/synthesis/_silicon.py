"""What a circuit costs in silicon: figures with the conditions they hold under."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

from inexact.core.errors import SynthesisError
from inexact.core.estimate import Estimate

FIGURES = ("area_um2", "delay_ns", "energy_pj", "settled_energy_pj", "leakage_nw")
"""Figures of a record. energy_pj: per operation with glitches; settled_energy_pj: without."""


@final
@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What figures hold under. The first four decide whether two records may be compared.

    library, corner: cells and their process, voltage and temperature. recipe: of synthesis. tool: with its version.
    operands: their distribution. activity: how energy was simulated. surroundings: slews and loads.
    """

    library: str
    corner: str
    recipe: str
    tool: str
    operands: str
    activity: str
    surroundings: str

    @property
    def comparable(self) -> tuple[str, str, str, str]:
        """Library, corner, recipe, tool."""
        return self.library, self.corner, self.recipe, self.tool

    def __str__(self) -> str:
        return f"{self.library}, {self.corner}, recipe {self.recipe}, {self.tool}; {self.operands}, {self.activity}; {self.surroundings}"


@final
@dataclass(frozen=True, kw_only=True)
class Silicon:
    """Figures of one netlist. name: of the circuit; circuit: its SHA-256; level: "unit", "mac" or "pe". cells: how many of each kind.

    area: um2. delay: ns. leakage: nW. energy, settled_energy: pJ per operation. register_energy: what of them the flip-flops of a MAC or PE
    spend, clock and data; None for a unit.
    """

    name: str
    circuit: str
    level: str
    area: Estimate
    delay: Estimate
    energy: Estimate
    settled_energy: Estimate
    leakage: Estimate
    cells: dict[str, int]
    conditions: Conditions
    register_energy: Estimate | None = None

    def figures(self) -> dict[str, Estimate]:
        """Every figure by its name in `FIGURES`."""
        return dict(zip(FIGURES, (self.area, self.delay, self.energy, self.settled_energy, self.leakage), strict=True))

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "name": self.name,
            "circuit_sha256": self.circuit,
            "level": self.level,
            **{name: estimate.to_json() for name, estimate in self.figures().items()},
            "register_energy_pj": self.register_energy.to_json() if self.register_energy else None,
            "cells": self.cells,
            "conditions": {field: getattr(self.conditions, field) for field in Conditions.__dataclass_fields__},
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Silicon:
        """The record `to_json` wrote."""

        def estimate(name: str) -> Estimate:
            return restored(data[name])

        def restored(found: dict[str, Any]) -> Estimate:
            return Estimate(**{**found, "spread": tuple(found["spread"]) if found["spread"] else None})

        area, delay, energy, settled, leakage = (estimate(name) for name in FIGURES)
        return Silicon(
            name=data["name"],
            circuit=data["circuit_sha256"],
            level=data["level"],
            area=area,
            delay=delay,
            energy=energy,
            settled_energy=settled,
            leakage=leakage,
            cells=data["cells"],
            conditions=Conditions(**data["conditions"]),
            register_energy=restored(data["register_energy_pj"]) if data["register_energy_pj"] else None,
        )


def require_comparable(records: Iterable[Silicon]) -> None:
    """Raise SynthesisError when two records differ in library, corner, recipe or tool: their figures must not be set side by side."""
    names = ("library", "corner", "recipe", "tool")
    first: Silicon | None = None
    for record in records:
        first = first or record
        for name, mine, others in zip(names, first.conditions.comparable, record.conditions.comparable, strict=True):
            if mine != others:
                raise SynthesisError(
                    f"figures must come from one {name} to be compared, but {first.name} is from {mine} and {record.name} from {others}"
                )


def ratios(record: Silicon, reference: Silicon) -> dict[str, float]:
    """Every figure over that of the reference. Raises SynthesisError when the two must not be compared, or the reference is 0."""
    require_comparable((reference, record))
    own, other = record.figures(), reference.figures()
    if any(estimate.value <= 0 for estimate in other.values()):
        raise SynthesisError(f"{reference.name} must cost something to be a reference")
    return {name: own[name].value / other[name].value for name in FIGURES}


def pareto(records: Sequence[Silicon]) -> list[Silicon]:
    """Those that no other beats in area, delay and energy at once, in their order. They may come from different recipes."""

    def key(record: Silicon) -> tuple[float, float, float]:
        return record.area.value, record.delay.value, record.energy.value

    def beaten(mine: tuple[float, float, float]) -> bool:
        return any(other != mine and all(o <= m for o, m in zip(other, mine, strict=True)) for other in map(key, records))

    return [record for record in records if not beaten(key(record))]
