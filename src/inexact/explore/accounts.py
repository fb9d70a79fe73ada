"""What plans cost on the study's accelerator: savings at every boundary against the exact 8-bit design, before and after building them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inexact import hardware
from inexact.core.estimate import Estimate
from inexact.core.workload import Workload, settled
from inexact.explore.exits import ExitChoice, closed_at
from inexact.hardware import Accelerator, Cost
from inexact.nn import Exits, Rule, arithmetic, left, planned_columns, planned_divisions, reached, served_layer, with_divisions
from inexact.reduction import Work


@dataclass(frozen=True, kw_only=True)
class Total:
    """Energy of one inference (DRAM included) in pJ, area in um2, clock cycles."""

    energy_pj: float
    area_um2: float
    cycles: float


@dataclass(frozen=True, kw_only=True)
class Accounting:
    """A network on an accelerator. workload: its layers, all exact 8-bit. baseline: the cost of the exact 8-bit design.

    opened: for every choice of closed exits, of a network with early exits, the layers that are computed then.
    """

    machine: Accelerator
    workload: Workload
    baseline: Cost
    opened: Mapping[tuple[bool, ...], Workload] = field(default_factory=dict)

    @property
    def exact(self) -> Rule:
        """The rule of the exact 8-bit design, in the coding that costs the machine least."""
        return Rule(coding=self.workload.multiplying[0].arithmetic.coding)

    @classmethod
    def of(cls, machine: Accelerator, workload: Workload, opened: Mapping[tuple[bool, ...], Workload] | None = None) -> Accounting:
        """The account of a workload, whatever arithmetic it names; opened: see the class."""
        exact = hardware.leanest_baseline(machine, workload)
        coding = exact.multiplying[0].arithmetic.coding
        variants = {closed: hardware.baseline(variant, coding=coding) for closed, variant in (opened or {}).items()}
        return cls(machine=machine, workload=exact, baseline=machine.evaluate(exact), opened=variants)

    def layers(self, exits: Exits | None) -> Workload:
        """The layers, all exact 8-bit, with the exits of a plan."""
        if exits is None or not isinstance(exits.tau, tuple):
            return self.workload
        return self.opened[closed_at(exits.tau)]

    @property
    def with_heads(self) -> Accounting:
        """The account in which every input comes to every classifier, for judging layer by layer; itself without exits."""
        every = (found for closed, found in self.opened.items() if not any(closed))
        return dataclasses.replace(self, workload=next(every, self.workload))

    def exact_energy(self, tau: tuple[float, ...], reach: Sequence[float]) -> float:
        """Energy of one inference in pJ, all exact 8-bit, with exits at these thresholds that so many inputs come to."""
        return total(self.machine.evaluate(_shared(self.opened[closed_at(tau)], reach))).energy_pj

    def planned(self, rules: Mapping[str, Rule], works: Mapping[str, Work] | None = None, exits: ExitChoice | None = None) -> Workload:
        """The workload under these rules; layers without one stay as in the baseline. Planned columns are assumed to be used, and planned
        divisors of channels.

        works: what the reductions of layers leave; all of it where nothing is known. exits: thresholds, and the share of inputs
        that come to each classifier.
        """
        layers = []
        source = self.workload if exits is None or all(exits.closed) else self.opened[exits.closed]
        for layer in source.layers:
            rule = rules.get(layer.name)
            if rule is not None:
                columns = planned_columns("none" if rule.exact else rule.recovery)
                work = left(rule, (works or {}).get(layer.name, Work()))
                layer = dataclasses.replace(layer, arithmetic=arithmetic(rule, layer, columns), **work)  # noqa: PLW2901
            layers.append(layer)
        every = {layer.name: self.exact for layer in layers} | dict(rules)
        found = with_divisions(layers, every, planned_divisions(layers, rules))
        whole = Workload(network=self.workload.network, layers=settled(found))
        return whole if exits is None else _shared(whole, exits.reach)

    def predict(self, rules: Mapping[str, Rule], works: Mapping[str, Work] | None = None, exits: ExitChoice | None = None) -> Total:
        """Energy and area of the design under these rules, before it is built; works, exits: see `planned`."""
        return total(self.machine.evaluate(self.planned(rules, works, exits)))

    def layer_energies(self, rules: Mapping[str, Rule], works: Mapping[str, Work] | None = None) -> dict[str, float]:
        """Energy of each layer in pJ, one inference, when these rules hold (the rest as in the baseline); works: see `planned`."""
        return layer_energies(self.machine.evaluate(self.planned(rules, works)))

    def judge(self, workload: Workload) -> dict[str, Any]:
        """The plain JSON account of a built design: energy and area saving in percent, savings and energies by boundary, latency, cost by
        component and layer; products: the share of a layer's products that is formed; reached: the share of inputs that come to it.
        """
        cost = self.machine.evaluate(workload)
        savings = hardware.savings(cost, self.baseline)
        area = hardware.area_saving(cost, self.baseline)
        return {
            "energy_saving": savings["with_dram"].value,
            "area_saving": area.value,
            "energy_pj": total(cost).energy_pj,
            "area_um2": total(cost).area_um2,
            "cycles": cost.cycles.value,
            "savings": written(savings),
            "area_saving_estimate": area.to_json(),
            "latency_ms": cost.latency_ms.to_json(),
            "worst_latency_ms": cost.worst_latency_ms.to_json(),
            "by_boundary": boundaries(cost),
            "by_component": components(cost),
            "by_layer": layer_energies(cost),
            "products": {layer.name: layer.executed for layer in workload.multiplying},
            "reached": {layer.name: layer.reached for layer in workload.layers},
        }


def _shared(workload: Workload, reach: Sequence[float]) -> Workload:
    return dataclasses.replace(workload, layers=tuple(reached(workload.layers, reach)))


def total(cost: Cost) -> Total:
    """Whole energy, area and cycles of a cost."""
    return Total(
        energy_pj=sum(triple[0] for triple in cost.components.values()),
        area_um2=sum(triple[0] for triple in cost.area.values()),
        cycles=cost.cycles.value,
    )


def layer_energies(cost: Cost) -> dict[str, float]:
    """Layer -> pJ, what divides its channels included."""
    found = defaultdict[str, float](float)
    for layer in cost.layers:
        found[served_layer(layer.name)] += sum(triple[0] for triple in layer.energy.values())
    return found


def components(cost: Cost) -> dict[str, float]:
    """Component -> pJ, those that are not zero."""
    return {name: triple[0] for name, triple in cost.components.items() if triple[0]}


def boundaries(cost: Cost) -> dict[str, float]:
    """Boundary -> pJ."""
    return {name: sum(cost.components[part][0] for part in hardware.within(name, cost.components)) for name in hardware.BOUNDARIES}


def written(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    """Estimates as JSON objects."""
    return {name: estimate.to_json() for name, estimate in estimates.items()}
