"""A net of the multiplier's netlist that holds a constant: in all multipliers of the array, or in that of one element."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from torch import nn

from inexact import hardware
from inexact.circuits import Circuit, stuck_at
from inexact.core.errors import FaultError, SpecError
from inexact.reliability._base import ChipFault, Site, Stratum, as_layers, chosen_places, faults
from inexact.reliability._broken import ElementFault, check_element_range, check_layer, placements, with_broken_element, with_stuck_unit
from inexact.reliability._subject import Subject
from inexact.reliability.pe_stuck_at import kind_of, one_element, stuck_values
from inexact.units import Multiplier
from inexact.units.stuck_at import netlist_of


@faults.register("unit_stuck_at")
@final
@dataclass(frozen=True, kw_only=True)
class UnitStuckAt(ChipFault):
    """One net of the multiplier is stuck: in every multiplier of these layers (a defect of the design or the mask), or in one element's.

    nets: names of nets or branches, see `units.stuck_at`; () all nets of the netlist, adders as gates, equivalent faults once. branches:
    with (), also the branches of nets with several readers. values: 0, 1 or both. element: (row, column) of the one that is broken; ()
    all. layers: those that run on the broken multipliers, names or globs; () all. accelerator, dataflow: as for `pe_stuck_at`, with an
    element only.

    Conv2d and Linear layers of integers of one scale, units with a netlist (without one: operand and product bits by name).

    Reference: E. J. McCluskey, F. W. Clegg, "Fault equivalence in combinational logic networks", IEEE Trans. Computers C-20(11), 1971,
    doi:10.1109/T-C.1971.223129 (the fault list)
    """

    nets: str | tuple[str, ...] = ()
    branches: bool = False
    values: int | tuple[int, ...] = (0, 1)
    element: tuple[int, ...] = ()
    layers: str | tuple[str, ...] = ()
    accelerator: str = "edge-16x16"
    dataflow: str = ""

    def __post_init__(self) -> None:
        nets = (self.nets,) if isinstance(self.nets, str) else self.nets
        if not isinstance(nets, tuple) or not all(isinstance(net, str) and net for net in nets):
            raise SpecError(f"nets must be names, as in ('n57','y[15]'), not {self.nets!r}")
        object.__setattr__(self, "nets", nets)
        object.__setattr__(self, "layers", as_layers(self.layers))
        object.__setattr__(self, "values", stuck_values(self.values))
        object.__setattr__(self, "element", one_element(self.element))

    def strata(self, subject: Subject) -> Iterable[Stratum]:
        """One a value: all nets."""
        if self.element:
            machine = hardware.load(self.accelerator)
            check_element_range(self.element, machine.rows, machine.columns)
            placements(subject.net, machine, self._names(subject), dataflow=self.dataflow)
        for value in stuck_values(self.values):
            size = len(self._sites(subject, value))
            yield Stratum(layer="", tensor="pe", bit=None, size=size, part=f"multiplier stuck at {value}")

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """Nets are numbered in the order of the fault list."""
        value = int(stratum.part[-1])
        return Site(layer="", tensor="pe", index=(number,), bit=None, kind=kind_of(value), persistence="permanent")

    def faulty(self, subject: Subject, site: Site) -> nn.Module:
        """The network of the faulty unit, or on the array with the one broken element."""
        value = int(site.kind == "stuck1")
        net, names = self._sites(subject, value)[site.index[0]], self._names(subject)
        if not self.element:
            return with_stuck_unit(subject.net, names, net, value)
        where = placements(subject.net, self.accelerator, names, dataflow=self.dataflow)
        fault = ElementFault(row=self.element[0], column=self.element[1], value=value, net=net)
        return with_broken_element(subject.net, where, fault)

    def _sites(self, subject: Subject, value: int) -> tuple[str, ...]:
        """Names of the nets that may be stuck at a value."""
        unit = self._unit(subject)
        if self.nets:
            return tuple(self.nets)
        circuit = netlist_of(unit)
        if circuit is None:
            raise FaultError(f"{unit.spec} has no netlist whose nets could be stuck; name bits, as in nets='y[15]', or take another unit")
        return _names_of(circuit, value, branches=self.branches)

    def _unit(self, subject: Subject) -> Multiplier:
        """The one multiplier of the chosen layers."""
        found: dict[str, Multiplier] = {}
        for name in self._names(subject):
            unit = check_layer(subject.places[name].layer).rule.unit
            assert isinstance(unit, Multiplier)
            found[unit.spec] = unit
        if len(found) != 1:
            raise FaultError(f"nets belong to one multiplier, but these layers have {', '.join(found)}; choose layers with one of them")
        return next(iter(found.values()))

    def _names(self, subject: Subject) -> list[str]:
        return [place.name for place in chosen_places(subject, as_layers(self.layers))]


def _names_of(circuit: Circuit, value: int, *, branches: bool) -> tuple[str, ...]:
    listed = stuck_at.faults(circuit, branches=branches)
    return tuple(stuck_at.name_of(circuit, fault) for fault in listed if fault.value == value)
