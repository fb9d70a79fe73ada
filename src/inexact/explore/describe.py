"""The parts of a report that describe a design rather than measure it: layers, units with their error maps, ceiling, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from inexact import hardware, units
from inexact.core.estimate import Estimate
from inexact.core.workload import LayerWorkload
from inexact.explore.accounts import Accounting, boundaries, components, layer_energies, written
from inexact.explore.space import Space
from inexact.metrics import profile
from inexact.nn import Plan, Rule
from inexact.units import Multiplier

HEATMAP = 32
"""Side of an error map at most; larger tables are averaged in blocks."""


def describe(accounting: Accounting, plan: Plan | None, space: Space, accounts: Mapping[str, Any]) -> dict[str, Any]:
    """layers, units, ceiling, baseline_components, baseline_boundaries, baseline_latency_ms, provenance as plain JSON.

    accounts: of the design, as `Accounting.judge` gives them.
    """
    rules = {} if plan is None else plan.rules
    codings = {rule.unit.spec: rule.coding for rule in rules.values() if rule is not None}
    specs = [spec for spec in codings if isinstance(units.of_any_system(spec), Multiplier)]  # the others have no table of integers
    return {
        "layers": [] if plan is None else _layers(accounting, plan, space, accounts),
        "units": [_unit(spec, codings[spec]) for spec in specs],
        "ceiling": written(hardware.ceiling(accounting.baseline)),
        "baseline_components": components(accounting.baseline),
        "baseline_boundaries": boundaries(accounting.baseline),
        "baseline_latency_ms": accounting.baseline.latency_ms.to_json(),
        "provenance": _provenance(accounting, codings, accounts),
    }


def _layers(accounting: Accounting, plan: Plan, space: Space, accounts: Mapping[str, Any]) -> list[dict[str, Any]]:
    rules, reach = plan.rules, accounts.get("reached", {})
    before, energy, products = layer_energies(accounting.baseline), accounts.get("by_layer", {}), accounts.get("products", {})
    whole = sum(energy.values()) or 1.0
    noise = {(layer.layer, option.rule): option.noise for layer in space.layers for option in layer.options}
    return [
        _layer(layer, rules.get(layer.name), noise, energy.get(layer.name, 0.0), whole, before.get(layer.name, 0.0))
        | {"products": products.get(layer.name), "reached": reach.get(layer.name, 1.0)}
        for layer in accounting.layers(plan.exits).layers
    ]


def _layer(
    layer: LayerWorkload, rule: Rule | None, noise: Mapping[tuple[str, Rule], float], energy: float, whole: float, before: float
) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "macs": layer.macs,
        "multiplier": None if rule is None else rule.unit.spec,
        "precision": _precision(layer, rule),
        "coding": "" if rule is None else rule.coding,
        "recovery": "" if rule is None else rule.recovery,
        "reduction": "none" if rule is None else rule.reduction,
        "noise": None if rule is None else noise.get((layer.name, rule)),
        "energy_pj": energy,
        "energy_share": energy / whole,
        "baseline_energy_pj": before,
    }


def _precision(layer: LayerWorkload, rule: Rule | None) -> str:
    if not layer.multiplies:
        return "vector unit"
    return "float32" if rule is None else str(rule.precision)


def _relative(spec: str, coding: str) -> dict[str, Estimate]:
    """Energy and area of the multiplier, delay of its processing element, over those of the exact 8x8 one of unsigned operands."""
    own = hardware.element_cost(spec, signs=coding == "sign_magnitude")
    exact = hardware.element_cost("exact")
    low, high = (end / exact.multiplier.energy for end in own.model)

    def estimate(value: float, spread: tuple[float, float] | None = None) -> Estimate:
        return Estimate(value=value, unit="1", source=own.source, node="45 nm", spread=spread, verified=own.verified)

    return {
        "energy": estimate(own.multiplier.energy / exact.multiplier.energy, (low, high) if low != high else None),
        "area": estimate(own.multiplier.area / exact.multiplier.area),
        "delay": estimate(own.delay / exact.delay),
    }


def _unit(spec: str, coding: str) -> dict[str, Any]:
    unit = units.get(spec)
    return {
        "spec": spec,
        "sha256": unit.sha256,
        "metrics": profile(unit).to_json(),
        "cost": written(_relative(spec, coding)),
        "error_heatmap": error_map(unit),
    }


def error_map(unit: units.Multiplier) -> list[list[float]]:
    """Mean signed error (approx - exact) by blocks of bit patterns, at most 32 x 32; rows = activation, columns = weight."""
    error = unit.table().astype(np.float64) - unit.exact_table()
    rows, columns = (min(size, HEATMAP) for size in error.shape)
    blocks = error.reshape(rows, error.shape[0] // rows, columns, error.shape[1] // columns)
    found: list[list[float]] = blocks.mean(axis=(1, 3)).tolist()
    return found


def _provenance(accounting: Accounting, codings: Mapping[str, str], accounts: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = [_row(f"energy saving, {name}", value) for name, value in accounts.get("savings", {}).items()]
    if "area_saving_estimate" in accounts:
        rows.append(_row("area saving", accounts["area_saving_estimate"]))
    rows.append(_row("latency, exact 8-bit", accounting.baseline.latency_ms.to_json()))
    for spec, coding in codings.items():
        rows += [_row(f"{name} of {spec} over exact 8x8", figure.to_json()) for name, figure in _relative(spec, coding).items()]
    rows += [_row(name, estimate.to_json()) for name, estimate in accounting.machine.constants().items()]
    interval = Estimate(
        value=95.0,
        unit="%",
        source="accuracy: Wilson interval; drops: Bonett-Price adjusted Wald interval of paired proportions, doi:10.3102/1076998611411915",
    )
    rows.append(_row("confidence of every interval", interval.to_json()))
    return rows


def _row(quantity: str, estimate: Mapping[str, Any]) -> dict[str, Any]:
    return {"quantity": quantity, **estimate}
