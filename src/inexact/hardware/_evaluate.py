"""From workload to cost: layers, then what depends on the whole plan (leakage, sign logic, unit selection, clock)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from inexact.core.errors import HardwareError
from inexact.core.estimate import Estimate
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware._constants import ZERO, Triple, technology
from inexact.hardware._cost import COMPONENTS, Cost, LayerCost
from inexact.hardware._layer import LayerEnergy, leakage, sign_logic, unit_selection
from inexact.hardware._mapping import residency
from inexact.hardware._silicon import Demands, demands, silicon
from inexact.hardware._units import unit_cost

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator


def baseline(workload: Workload, *, coding: str = "signed") -> Workload:
    """The same network with the exact 8x8 multiplier everywhere, 32-bit sums and no correction.

    coding: signed symmetric by default, the leanest exact design (no zero points of weights, no sign logic).
    """
    arithmetic = Arithmetic(coding=coding)
    layers = tuple(dataclasses.replace(layer, arithmetic=arithmetic) for layer in workload.layers)
    return Workload(network=workload.network, layers=layers)


def evaluate(machine: Accelerator, workload: Workload) -> Cost:
    """See `Accelerator.evaluate`."""
    _check(workload)
    wanted = demands(workload)
    chip = silicon(machine, wanted)
    period = _period(machine, wanted)
    costs = []
    model_low = model_high = 0.0
    for layer, (input_resident, output_resident) in zip(workload.layers, residency(workload.layers, machine.sizes), strict=True):
        found = machine.layer(layer, input_resident=input_resident, output_resident=output_resident)
        energy = dict.fromkeys(COMPONENTS, ZERO) | found.energy
        energy["sign_logic"] = sign_logic(machine, layer, wanted.sign_magnitude)
        energy["unit_selection"] = unit_selection(machine, layer, len(wanted.units))
        energy["leakage_array"] = leakage(chip.array_leakage, found.cycles * period)
        energy["leakage_buffers"] = leakage(chip.buffer_leakage, found.cycles * period)
        model_low += found.multiplier_model[0]
        model_high += found.multiplier_model[1]
        costs.append(_layer_cost(layer, found, energy))
    return Cost(
        accelerator=machine.name,
        node=machine.technology.node,
        network=workload.network,
        period_ns=period,
        layers=tuple(costs),
        area=chip.area,
        multiplier_leakage=leakage(chip.multiplier_leakage, sum(cost.cycles for cost in costs) * period),
        multiplier_model=(model_low, model_high),
        sources=_sources(machine, wanted),
        unverified=_unverified(wanted),
    )


def _layer_cost(layer: LayerWorkload, found: LayerEnergy, energy: dict[str, Triple]) -> LayerCost:
    mapping = found.mapping
    return LayerCost(
        name=layer.name,
        macs=layer.macs,
        cycles=found.cycles,
        stalls=found.cycles - mapping.cycles if mapping else 0,
        dataflow=mapping.dataflow if mapping else "float32 vector unit",
        utilisation=mapping.utilisation if mapping else None,
        mapping=mapping,
        energy=energy,
    )


def _check(workload: Workload) -> None:
    if not workload.layers:
        raise HardwareError(f"a workload must have at least one layer that multiplies; {workload.network!r} has none")
    names = [layer.name for layer in workload.layers]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise HardwareError(f"layer names must differ, but {twice!r} comes twice; rename one")


def _period(machine: Accelerator, wanted: Demands) -> float:
    """The clock period in ns, stretched when a unit is slower than the exact one and no longer fits a cycle."""
    slowest = max((unit_cost(spec).delay for spec in wanted.units), default=1.0)
    path = machine.technology["multiplier_delay"].value * slowest + machine.technology["adder_delay"].value
    return max(machine.period_ns, path)


def _unverified(wanted: Demands) -> frozenset[str]:
    parts = {"sign_logic"} if wanted.sign_magnitude else set()
    if len(wanted.units) > 1:
        parts.add("unit_selection")
    if not all(unit_cost(spec).verified for spec in wanted.units):
        parts |= {"multipliers", "leakage_array"}
    return frozenset(parts)


def _sources(machine: Accelerator, wanted: Demands) -> dict[str, str]:
    constants = machine.technology
    models = sorted({unit_cost(spec).source for spec in wanted.units} - {"by definition"})
    gates = "gate-count model: gates as shares of a full adder (gscl45nm areas) times the adder"
    memory = constants.sram_source
    adder, register = constants["adder_energy"].source, constants["register_energy"].source
    return {
        "multipliers": "; ".join([constants["multiplier_energy"].source, *(f"relative cost of the unit: {model}" for model in models)]),
        "adders": adder,
        "registers": register,
        "sign_logic": gates,
        "unit_selection": gates,
        "zero_points": "adder, register and multiplier of the same tables",
        "correction_column": f"adder and register of the same tables; look-up memory: {memory}",
        "idle_pes": "clock-gated; high end: every register of an idle PE is clocked",
        "leakage_array": constants["multiplier_leakage"].source,
        "activation_buffer": memory,
        "weight_buffer": memory,
        "accumulator_buffer": memory,
        "requantisation": constants["requantise_energy"].source,
        "leakage_buffers": memory,
        "dram": constants["dram_energy"].source,
    }


def reference_multiplier(node: str = "45nm") -> dict[str, Estimate]:
    """The cited exact 8x8 multiplier of a technology table: energy_pj, area_um2, delay_ns, leakage_nw. Multiply by relative costs."""
    constants = technology(node)
    leak = constants["multiplier_leakage"].estimate()
    return {
        "energy_pj": constants["multiplier_energy"].estimate(),
        "area_um2": constants["multiplier_area"].estimate(),
        "delay_ns": constants["multiplier_delay"].estimate(),
        "leakage_nw": dataclasses.replace(leak, value=leak.value * 1000, unit="nW"),
    }
