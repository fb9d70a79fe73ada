"""Accuracy and energy against the supply voltage of the array, under a policy for products that come too late."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from inexact.core.errors import FaultError
from inexact.core.estimate import Estimate
from inexact.core.workload import Workload
from inexact.hardware import ARRAY, Accelerator, Cost, savings
from inexact.nn import ApproxModel, Data, Evaluation, evaluate
from inexact.reliability._late_sums import Tally, require_order, require_policy, weight_operands
from inexact.reliability._lowered import energies_of, scaled
from inexact.reliability.late_products import late_rows, stages, with_late_products

RAZOR_SHARE = 0.03
"""Energy of shadow registers and comparators over that of the array, declared: they take 3.1 % of the prototype pipeline of D. Ernst
et al., Razor, MICRO-36 2003, doi:10.1109/MICRO.2003.1253179 (abstract)."""

Progress = Callable[[str], None]


@final
@dataclass(frozen=True, kw_only=True)
class ArrayPoint:
    """The array at one voltage, in V (layers may have their own). drop: against the same network in time, on the same images."""

    voltage: float
    voltages: Mapping[str, float]
    policy: str
    products: Tally
    by_layer: Mapping[str, Tally]
    evaluation: Evaluation
    energy: Mapping[str, Estimate]
    saved: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; energies as `Estimate.to_json`."""
        return {
            "voltage": self.voltage,
            "voltages": dict(self.voltages),
            "policy": self.policy,
            "late_share": self.products.late_share,
            "dropped_share": self.products.dropped / max(1, self.products.products),
            "late_share_by_layer": {name: tally.late_share for name, tally in self.by_layer.items()},
            **self.evaluation.to_json(),
            "energy_pj": {name: estimate.to_json() for name, estimate in self.energy.items()},
            "saved": {name: estimate.to_json() for name, estimate in self.saved.items()},
        }


@final
@dataclass(frozen=True, kw_only=True)
class ArraySettings:
    """How late products are met. voltages: V of the array, one point each. layers: name or glob -> V of layers that keep their own.

    policy, order, array_rows, margin: as of `late_products`; FaultError for unknown ones. boost_products: how many products run at the
    nominal voltage for every one foreseen to be late (declared). razor_share: energy of detection over that of the array, under te_drop
    (declared).
    """

    voltages: tuple[float, ...]
    layers: Mapping[str, float]
    policy: str = "none"
    order: str = "weight_stationary"
    array_rows: int = 16
    margin: float = 0.0
    boost_products: float = 1.0
    razor_share: float = RAZOR_SHARE

    def __post_init__(self) -> None:
        require_policy(self.policy)
        require_order(self.order)


def array_sweep(
    net: ApproxModel, data: Data, machine: Accelerator, workload: Workload, settings: ArraySettings, *, progress: Progress | None = None
) -> list[ArrayPoint]:
    """One point a voltage: every layer of the plan at its own voltage, all at the clock that static timing allows at the nominal one.

    Raises FaultError for layers that do not exist and as `late_products` does; HardwareError near the threshold.
    """
    known = stages(net, margin=settings.margin)
    chosen = [_voltages(list(known), voltage, settings.layers) for voltage in settings.voltages]
    factors = [{name: known[name].slowdown(volts) for name, volts in voltages.items()} for voltages in chosen]
    _simulate(net, factors, settings, progress)
    whole, cost = evaluate(net, data), machine.evaluate(workload)
    points = []
    for voltage, voltages, slower in zip(settings.voltages, chosen, factors, strict=True):
        if progress is not None:
            progress(f"{voltage:g} V")
        late = with_late_products(
            net, slower, policy=settings.policy, order=settings.order, array_rows=settings.array_rows, margin=settings.margin
        )
        evaluation = evaluate(late.net, data, reference_int8=whole)
        lower = _array_cost(cost, machine, workload, voltages, late.tallies, settings)
        points.append(
            ArrayPoint(
                voltage=voltage,
                voltages=voltages,
                policy=settings.policy,
                products=late.total,
                by_layer=late.tallies,
                evaluation=evaluation,
                energy=energies_of(lower, set(ARRAY)),
                saved=savings(lower, cost),
            )
        )
    return points


def _voltages(names: list[str], voltage: float, own: Mapping[str, float]) -> dict[str, float]:
    found = dict.fromkeys(names, voltage)
    for pattern, volts in own.items():
        chosen = fnmatch.filter(names, pattern)
        if not chosen:
            raise FaultError(f"a layer with a voltage of its own must be one of {', '.join(names)}, not {pattern!r}")
        found |= dict.fromkeys(chosen, volts)
    return found


def _simulate(net: ApproxModel, factors: Sequence[Mapping[str, float]], settings: ArraySettings, progress: Progress | None) -> None:
    """All transitions of all voltages in one pass."""
    if settings.order != "weight_stationary":
        return
    known = stages(net, margin=settings.margin)
    for spec in {found.unit.spec for found in known.values()}:
        rows = late_rows(spec, settings.margin, "45nm")
        edges = sorted({rows.stage.edge_ns(slower[name]) for slower in factors for name in slower if known[name].unit.spec == spec})

        def simulated(done: int, total: int) -> None:
            if progress is not None:
                progress(f"transitions of weight {done} of {total}")

        rows.prepare(weight_operands(net), edges, simulated)


def _array_cost(
    cost: Cost,
    machine: Accelerator,
    workload: Workload,
    voltages: Mapping[str, float],
    tallies: Mapping[str, Tally],
    settings: ArraySettings,
) -> Cost:
    """Each layer's array at its voltage, with what the policy spends; memories and DRAM as they are."""
    costs = {volts: machine.at(voltage_v=volts, check=False).evaluate(workload) for volts in set(voltages.values())}
    layers = []
    for place, layer in enumerate(cost.layers):
        volts = voltages.get(layer.name)
        if volts is None:
            layers.append(layer)
            continue
        overhead = 1.0
        if settings.policy == "te_drop":
            overhead += settings.razor_share
        if settings.policy == "boost":
            overhead += tallies[layer.name].late_share * settings.boost_products * ((machine.voltage / volts) ** 2 - 1)
        energy = layer.energy | {name: costs[volts].layers[place].energy[name] for name in layer.energy if name in ARRAY}
        layers.append(scaled(replace(layer, energy=energy), dict.fromkeys(ARRAY, overhead)))
    declared = frozenset(ARRAY) if settings.policy != "none" else frozenset[str]()
    return replace(cost, layers=tuple(layers), unverified=cost.unverified | declared)
