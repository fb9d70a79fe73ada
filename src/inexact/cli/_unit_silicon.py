"""The silicon of a passport: the catalogue's figures, else those of a synthesis made now; where there are none, the gate-count model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from inexact.circuits.synthesis import DEFAULT_RECIPE, Setup, Silicon, synthesise
from inexact.cli._unit_catalogue import QUANTITIES, RELATIVE, priced, silicon
from inexact.cli._unit_subject import Subject, Unit, subject_of
from inexact.core.errors import MissingDependencyError, SpecError, SynthesisError
from inexact.core.estimate import Estimate
from inexact.units import Adder, Multiplier
from inexact.units import catalogue as shipped
from inexact.units.cost import relative_cost
from inexact.units.exact import Exact

LARGEST = 3000
"""Cells of a netlist up to which it is synthesised on the way: some seconds."""

Figures = dict[str, dict[str, Any]]
"""JSON estimates by name."""


@final
@dataclass(frozen=True, kw_only=True)
class Held:
    """figures: by name. relative: energy, area and delay over the exact 8x8 multiplier of the same sign; None for what is no
    multiplier. origin: where they are from; form: what of the unit the netlist is, empty where it is simply the unit.
    """

    figures: Figures
    relative: Figures | None
    origin: str
    form: str = ""

    @property
    def cost(self) -> Figures:
        """The figures every unit has in a list."""
        return {name: self.figures[name] for name in QUANTITIES}


def held(unit: Unit) -> Held | None:
    """Silicon figures of a unit's own netlist; None without a netlist of at most `LARGEST` cells, or Yosys where the catalogue lacks it."""
    entry = shipped.entries().get(unit.spec)
    if entry is not None:
        return Held(figures=silicon(entry), relative=priced(entry)["relative_cost"], origin="from the catalogue")
    other = shipped.others().get(unit.spec)
    if other is not None:
        return Held(figures=silicon(other), relative=None, origin="from the catalogue", form=other.form)
    try:
        subject = subject_of(unit.spec)
        return None if len(subject.circuit.cells) > LARGEST else _made(subject)
    except (SpecError, SynthesisError, MissingDependencyError):
        return None


def _made(subject: Subject) -> Held:
    setup, unit = Setup(recipe=DEFAULT_RECIPE), subject.unit
    exact = Exact(signed=unit.signed).circuit() if isinstance(unit, Multiplier) else None
    record, *others = synthesise([subject.circuit, *([] if exact is None else [exact])], setup)
    relative = _relative(record, others[0], unit.signed) if others else None
    figures = {name: estimate.to_json() for name, estimate in record.figures().items()}
    return Held(figures=figures, relative=relative, origin="synthesised now", form=subject.form)


def _relative(record: Silicon, exact: Silicon, signed: bool) -> Figures:
    source = f"over {'signed' if signed else 'unsigned'} exact 8x8; {record.energy.source}"
    own, other = record.figures(), exact.figures()
    ratios = {name: own[figure].value / other[figure].value for name, figure in RELATIVE.items()}
    return {name: Estimate(value=value, unit="1", source=source).to_json() for name, value in ratios.items()}


def modelled(unit: Multiplier | Adder) -> tuple[dict[str, dict[str, Any] | None], Figures | None]:
    """(cost, relative cost) by the gate-count model, flagged unverified; without figures for adders and where no circuit is known.

    cost: a cited exact multiplier times the unit's relative cost.
    """
    if isinstance(unit, Adder) or unit.gates() is None:
        return dict.fromkeys(QUANTITIES), None
    from inexact import hardware

    relative = relative_cost(unit)
    exact = hardware.reference_multiplier()
    cost: dict[str, dict[str, Any] | None] = {
        name: scaled(exact[name], getattr(relative, kind)).to_json() for name, kind in QUANTITIES.items()
    }
    return cost, {name: getattr(relative, name).to_json() for name in RELATIVE}


def scaled(exact: Estimate, ratio: Estimate) -> Estimate:
    """A cited figure of the exact multiplier times a relative cost: both sources are named, the spreads multiply."""
    low, high = exact.spread or (exact.value, exact.value)
    least, most = ratio.spread or (ratio.value, ratio.value)
    return Estimate(
        value=exact.value * ratio.value,
        unit=exact.unit,
        source=f"exact 8x8 multiplier ({exact.source}) times relative cost ({ratio.source})",
        node=exact.node,
        spread=(low * least, high * most),
        verified=False,
    )
