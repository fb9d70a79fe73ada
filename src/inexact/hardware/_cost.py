"""What a workload costs on an accelerator, with unit, source and spread on every figure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from inexact.core.estimate import Estimate
from inexact.core.notebook import as_html
from inexact.hardware._boundaries import ARRAY, BEHIND, BOUNDARIES, DRAM, within
from inexact.hardware._constants import ZERO, Triple, total
from inexact.hardware._mapping import Mapping
from inexact.hardware._savings import ceiling, declared, percent, savings


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer. cycles: with stalls, which wait for memories, DRAM or requantisation. reached: share of inputs that come to it. energy:
    pJ by component, the mean over all inputs.

    mapping: None off the array; dataflow then says where the layer runs.
    """

    name: str
    macs: int
    cycles: int
    stalls: int
    dataflow: str
    utilisation: float | None
    mapping: Mapping | None
    energy: dict[str, Triple]
    reached: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """A total and its parts; the parts add up to the total. by_layer is empty where a layer has no share (area)."""

    total: Estimate
    by_component: dict[str, Estimate]
    by_layer: dict[str, Estimate]

    def __str__(self) -> str:
        """The total, then every part with its share; their sources stand in the figures themselves."""
        lines = [f"{'total':24}{_shown(self.total)}  ({self.total.source})"]
        for parts in filter(None, (self.by_component, self.by_layer)):
            shares = {name: 100 * part.value / self.total.value for name, part in parts.items() if part.value}
            lines += ["", *(f"{name:24}{_shown(parts[name])}  {share:5.1f} %" for name, share in shares.items())]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_json(self) -> dict[str, Any]:
        """total, by_component and, where there is one, by_layer; each figure as Estimate.to_json."""
        found: dict[str, Any] = {"total": self.total.to_json(), "by_component": {k: v.to_json() for k, v in self.by_component.items()}}
        if self.by_layer:
            found["by_layer"] = {k: v.to_json() for k, v in self.by_layer.items()}
        return found


def _shown(figure: Estimate) -> str:
    spread = "" if figure.spread is None else f" [{figure.spread[0]:.4g}, {figure.spread[1]:.4g}]"
    return f"{f'{figure.value:.4g}':>10} {figure.unit}{spread:26}"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cycles, energy and area of one run.

    period_ns: clock period. area: um2 by component.
    multiplier_leakage: pJ, part of the component leakage_array. multiplier_model: multiplier pJ at the ends of the units' cost model.
    sources: component -> citation. unverified: components that rest on a declared model.
    """

    accelerator: str
    node: str
    network: str
    period_ns: float
    layers: tuple[LayerCost, ...] = field(repr=False)
    area: dict[str, Triple] = field(repr=False)
    multiplier_leakage: Triple = field(repr=False)
    multiplier_model: tuple[float, float] = field(repr=False)
    sources: dict[str, str] = field(repr=False)
    unverified: frozenset[str] = field(repr=False)

    def __str__(self) -> str:
        """What one run costs, a line each, with sources."""
        figures = {"cycles": self.cycles, "latency": self.latency_ms, "energy": self.energy_pj.total, "area": self.area_um2.total}
        return "\n".join([f"{self.network} on {self.accelerator}", *(f"  {name:8}{figure}" for name, figure in figures.items())])

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def cycles(self) -> Estimate:
        """Clock cycles, layer after layer, stalls included; the mean over inputs where some leave early."""
        return self._derived(float(sum(layer.cycles * layer.reached for layer in self.layers)), "cycles", "closed forms")

    @property
    def worst_latency_ms(self) -> Estimate:
        """Time in ms of an input that leaves at no exit."""
        cycles = float(sum(layer.cycles for layer in self.layers))
        return self._derived(cycles * self.period_ns * 1e-6, "ms", "cycles of all layers times the clock period")

    @property
    def leaves_early(self) -> bool:
        """Whether some inputs do not come to every layer."""
        return any(layer.reached < 1 for layer in self.layers)

    @property
    def latency_ms(self) -> Estimate:
        """Time of one run in ms."""
        return self._derived(self.cycles.value * self.period_ns * 1e-6, "ms", "cycles times the clock period")

    @cached_property
    def components(self) -> dict[str, Triple]:
        """Energy in pJ by component as (value, low, high), the units' cost model at its nominal point."""
        names = list(dict.fromkeys(name for layer in self.layers for name in layer.energy))
        memories = [name for name in names if name not in {*ARRAY, *BEHIND, DRAM}]
        order = [*ARRAY, *sorted(memories), *BEHIND, DRAM]
        return {name: total(layer.energy.get(name, ZERO) for layer in self.layers) for name in order}

    @cached_property
    def energy_pj(self) -> Breakdown:
        """Energy of one run: total, by component, by layer."""
        parts = {name: self._with_model(name, triple) for name, triple in self.components.items()}
        layers = {layer.name: total(self._with_model(name, triple) for name, triple in layer.energy.items()) for layer in self.layers}
        return Breakdown(
            total=self._sum("pJ", parts.values()),
            by_component={name: self._part(name, triple, "pJ") for name, triple in parts.items()},
            by_layer={name: self._sum("pJ", [triple]) for name, triple in layers.items()},
        )

    @cached_property
    def area_um2(self) -> Breakdown:
        """Area: total and by component."""
        parts = {name: self._part(name, triple, "um2") for name, triple in self.area.items()}
        return Breakdown(total=self._sum("um2", self.area.values()), by_component=parts, by_layer={})

    @property
    def energy_delay_product(self) -> Estimate:
        """Energy of one run times its time, in pJ ms."""
        energy, time = self.energy_pj.total, self.latency_ms.value
        spread = (energy.spread[0] * time, energy.spread[1] * time) if energy.spread else None
        return self._derived(energy.value * time, "pJ ms", "energy times latency", spread)

    @property
    def tops_per_watt(self) -> Estimate:
        """Operations (two a multiply-accumulate) per picojoule."""
        energy = self.energy_pj.total
        operations = 2 * sum(layer.macs * layer.reached for layer in self.layers)
        spread = (operations / energy.spread[1], operations / energy.spread[0]) if energy.spread else None
        return self._derived(operations / energy.value, "TOPS/W", "two operations a MAC over the energy", spread)

    @property
    def mac_share(self) -> dict[str, Estimate]:
        """Share of multipliers and adders in the energy, in percent, at each boundary but the first."""
        without = {name: (0.0, 0.0, 0.0) if name in ("multipliers", "adders") else triple for name, triple in self.components.items()}
        return {
            name: percent(self, without, self.components, within(name, without), how="share of multipliers and adders")
            for name in BOUNDARIES
            if name != "multiplier"
        }

    def to_json(self, baseline: Cost | None = None) -> dict[str, Any]:
        """cycles, latency_ms, energy_pj, area_um2, mac_share, layers; with a baseline also savings and ceiling."""
        found: dict[str, Any] = {
            "accelerator": self.accelerator,
            "network": self.network,
            "cycles": self.cycles.to_json(),
            "latency_ms": self.latency_ms.to_json(),
            "energy_pj": self.energy_pj.to_json(),
            "area_um2": self.area_um2.to_json(),
            "mac_share": _written(self.mac_share),
            "layers": [
                {"name": layer.name, "macs": layer.macs, "cycles": layer.cycles, "stalls": layer.stalls}
                | {"dataflow": layer.dataflow, "utilisation": layer.utilisation}
                | ({"reached": layer.reached} if self.leaves_early else {})
                | ({"tile": layer.mapping.tile, "order": list(layer.mapping.order)} if layer.mapping else {})
                for layer in self.layers
            ],
        }
        if self.leaves_early:
            found["worst_latency_ms"] = self.worst_latency_ms.to_json()
        if baseline is not None:
            found |= {"savings": _written(savings(self, baseline)), "ceiling": _written(ceiling(baseline))}
        return found

    def _with_model(self, name: str, triple: Triple) -> Triple:
        if name != "multipliers":
            return triple
        low, high = self.model_factors
        return triple[0], triple[1] * low, triple[2] * high

    @cached_property
    def model_factors(self) -> tuple[float, float]:
        """Multiplier energy at the ends of the units' cost model over its nominal value."""
        nominal = self.components["multipliers"][0]
        return (self.multiplier_model[0] / nominal, self.multiplier_model[1] / nominal) if nominal else (1.0, 1.0)

    def _part(self, name: str, triple: Triple, unit: str) -> Estimate:
        return Estimate(
            value=triple[0],
            unit=unit,
            source=self.sources[name],
            node=None if name == "dram" else self.node,
            spread=_spread(triple),
            verified=name not in self.unverified,
        )

    def _sum(self, unit: str, triples: Iterable[Triple]) -> Estimate:
        triple = total(triples)
        source = f"accelerator model {self.accelerator}: sum of its components" + (
            "; " + declared(self.unverified) if self.unverified else ""
        )
        return Estimate(value=triple[0], unit=unit, source=source, node=self.node, spread=_spread(triple), verified=not self.unverified)

    def _derived(self, value: float, unit: str, how: str, spread: tuple[float, float] | None = None) -> Estimate:
        verified = spread is None or not self.unverified
        return Estimate(
            value=value, unit=unit, source=f"accelerator model {self.accelerator}: {how}", node=self.node, spread=spread, verified=verified
        )


def _spread(triple: Triple) -> tuple[float, float] | None:
    return (triple[1], triple[2]) if triple[1] != triple[2] else None


def _written(estimates: dict[str, Estimate]) -> dict[str, Any]:
    return {name: estimate.to_json() for name, estimate in estimates.items()}
