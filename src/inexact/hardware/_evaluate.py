"""From workload to cost: layers, then what depends on the whole plan (leakage, sign logic, unit selection, clock)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from inexact.core.errors import HardwareError
from inexact.core.estimate import Estimate
from inexact.core.workload import Arithmetic, LayerWorkload, Workload, settled
from inexact.hardware._boundaries import ARRAY
from inexact.hardware._checks import check_layer
from inexact.hardware._constants import Constant, Triple, scaled, technology, total
from inexact.hardware._cost import Cost, LayerCost
from inexact.hardware._layer import LayerEnergy, leakage, sign_logic, unit_selection
from inexact.hardware._mapping import residency
from inexact.hardware._schemes import codings
from inexact.hardware._silicon import Demands, demands, elements, silicon
from inexact.hardware._subword import overhead
from inexact.hardware._subword import source as splitting

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator

SWITCHING = tuple(name for name in ARRAY if name not in {"control", "idle_pes", "leakage_array"})
"""Components that the control share is a share of."""


WHOLE: dict[str, Any] = {
    name: getattr(LayerWorkload, name)
    for name in ("executed", "added", "busy", "stored", "checks", "serial", "a_reads", "b_reads", "kept_bits", "reached")
}
"""Fields of a layer without reduction."""


def baseline(workload: Workload, *, coding: str = "signed") -> Workload:
    """The same network with the exact 8x8 multiplier everywhere, 32-bit sums and no correction; see also `leanest_baseline`.

    coding: signed symmetric by default.
    """
    arithmetic = Arithmetic(coding=coding)
    layers = tuple(dataclasses.replace(layer, arithmetic=arithmetic, **WHOLE) if layer.multiplies else layer for layer in workload.layers)
    return Workload(network=workload.network, layers=settled(layers))


def leanest_baseline(machine: Accelerator, workload: Workload) -> Workload:
    """The exact 8-bit design in the coding that costs this machine least energy, DRAM included: what savings are measured against.

    A coding chosen for the sake of a unit must not count as a saving of the unit: signs and magnitudes, for one, make the exact
    multiplier cheaper too.
    """
    candidates = [baseline(workload, coding=coding) for coding in codings(machine)]
    return min(candidates, key=lambda candidate: sum(triple[0] for triple in machine.evaluate(candidate).components.values()))


def evaluate(machine: Accelerator, workload: Workload) -> Cost:
    """See `Accelerator.evaluate`."""
    _check(workload)
    for layer in workload.layers:
        check_layer(machine, layer)
    wanted = demands(machine, workload)
    chip = silicon(machine, wanted)
    period = _period(machine, wanted)
    tiled = machine.words["pe.units"] == "tiles" and len(wanted.units) > 1
    runner = _tile(machine, len(wanted.units)) if tiled else machine
    distinct = 1 if tiled else len(wanted.multipliers)
    costs = []
    model_low = model_high = 0.0
    for layer, (input_resident, output_resident) in zip(workload.layers, residency(workload.layers, machine), strict=True):
        found = runner.layer(layer, input_resident=input_resident, output_resident=output_resident)
        energy = dict(found.energy)
        energy["sign_logic"] = sign_logic(machine, layer, wanted.sign_magnitude)
        energy["unit_selection"] = unit_selection(machine, layer, distinct)
        if "control.share" in machine.numbers:
            energy["control"] = scaled(total(energy[name] for name in SWITCHING if name in energy), machine.numbers["control.share"].value)
        energy["leakage_array"] = leakage(chip.array_leakage, found.cycles * period)
        energy["leakage_buffers"] = leakage(chip.buffer_leakage, found.cycles * period)
        model_low += found.multiplier_model[0] * layer.reached
        model_high += found.multiplier_model[1] * layer.reached
        costs.append(_layer_cost(layer, found, energy))
    return Cost(
        accelerator=machine.name,
        node=machine.technology.node,
        network=workload.network,
        period_ns=period,
        layers=tuple(costs),
        area=chip.area,
        multiplier_leakage=leakage(chip.multiplier_leakage, sum(cost.cycles * cost.reached for cost in costs) * period),
        multiplier_model=(model_low, model_high),
        sources=_sources(machine, wanted),
        unverified=_unverified(machine, wanted, workload),
    )


def _tile(machine: Accelerator, units: int) -> Accelerator:
    """The columns that one of several units has for itself."""
    columns = machine.columns // units
    if not columns:
        raise HardwareError(
            f"{machine.name} must have a column for each of the plan's {units} units, but has {machine.columns}; use fewer units, or "
            f'pe.units = "selected"'
        )
    known: dict[int, Accelerator] = machine.__dict__.setdefault("_tiles", {})
    if columns not in known:
        numbers = machine.numbers | {
            "array.columns": Constant(
                name="array.columns", value=columns, low=columns, high=columns, unit="PE", source="a tile of the array", node=None
            )
        }
        known[columns] = dataclasses.replace(machine, numbers=numbers)
    return known[columns]


def _layer_cost(layer: LayerWorkload, found: LayerEnergy, energy: dict[str, Triple]) -> LayerCost:
    mapping = found.mapping
    return LayerCost(
        name=layer.name,
        macs=layer.macs,
        cycles=found.cycles,
        stalls=max(0, found.cycles - mapping.cycles) if mapping else 0,
        dataflow=mapping.dataflow if mapping else found.runs_on,
        utilisation=mapping.utilisation if mapping else None,
        mapping=mapping,
        energy={name: scaled(triple, layer.reached) for name, triple in energy.items()},
        reached=layer.reached,
    )


def _check(workload: Workload) -> None:
    if not workload.multiplying:
        raise HardwareError(f"a workload must have at least one layer that multiplies; {workload.network!r} has none")
    names = [layer.name for layer in workload.layers]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise HardwareError(f"layer names must differ, but {twice!r} comes twice; rename one")


def _period(machine: Accelerator, wanted: Demands) -> float:
    """The clock period in ns, stretched when an element is slower than the clock."""
    if machine.style.startswith("serial"):
        return machine.period_ns
    return max(machine.period_ns, slowest(machine, wanted))


def slowest(machine: Accelerator, wanted: Demands) -> float:
    """Clock to clock in ns of the slowest element a plan needs at the machine's voltage."""
    return max((cost.delay for cost in elements(wanted)), default=0.0) * machine.rates.scale.delay * overhead(machine, "delay")


def _unverified(machine: Accelerator, wanted: Demands, workload: Workload) -> frozenset[str]:
    parts = set()
    if len(wanted.multipliers) > 1:
        parts.add("unit_selection")
    if machine.style.startswith("serial"):
        parts |= {"multipliers", "adders", "leakage_array"}
    if not all(cost.verified for cost in elements(wanted)):
        parts |= {"multipliers", "leakage_array"}
    if any(layer.checks for layer in workload.layers):
        parts.add("reduction_control")
    if len(workload.multiplying) < len(workload.layers):
        parts.add("vector_unit")
    return frozenset(parts)


def _sources(machine: Accelerator, wanted: Demands) -> dict[str, str]:
    constants = machine.technology
    found = elements(wanted)
    node = "" if constants.node == "45 nm" else f"; to {constants.node} by the ratio of Aladdin's tables"
    units = "; ".join(sorted({cost.source for cost in found})) + node
    split = f"; {splitting()}" if machine.style == "subword" else ""
    gates = "declared model: gates as shares of a full adder (gscl45nm areas) times the adder's energy a bit" + node
    memory = constants.sram_source
    serial = "declared model of a bit-serial element: AND gates and one adder a bit and cycle, from " + units
    whole = "processing element less multiplier and flip-flops: "
    named = {
        "multipliers": serial if machine.style.startswith("serial") else units + split,
        "adders": serial if machine.style.startswith("serial") else whole + units,
        "registers": "flip-flops of the processing element: " + units,
        "scratchpads": constants.register_file.source,
        "sign_logic": gates,
        "unit_selection": gates,
        "zero_points": "adder, register and multiplier of the exact processing element",
        "correction_column": f"adder, register and multiplier of the exact processing element; look-up memory: {memory}",
        "reduction_control": "additions and comparisons of a reduction times the exact element's adder energy a bit",
        "control": machine.numbers["control.share"].source if "control.share" in machine.numbers else "none declared",
        "idle_pes": "clock-gated; high end: every register of an idle PE is clocked",
        "leakage_array": "leakage of the processing elements' cells: " + units + split,
        "vector_unit": "declared model: additions' worth of arithmetic an element times the adder's energy a bit",
        "requantisation": constants["requantise_energy"].source,
        "leakage_buffers": memory,
        "dram": constants["dram_energy"].source,
    }
    if "dram.energy_pj_bit" in machine.numbers:
        named["dram"] = machine.numbers["dram.energy_pj_bit"].source
    return named | {held.component: _memory_source(machine, held.name, memory) for held in machine.memories.values()}


def _memory_source(machine: Accelerator, name: str, table: str) -> str:
    numbers = next(found.numbers for found in machine.memory_descriptions if found.name == name)
    own = sorted({numbers[key].source for key in ("read_pj_bit", "write_pj_bit", "area_um2", "leakage_uw") if key in numbers})
    return "; ".join([*own, *([] if own and "area_um2" in numbers and "read_pj_bit" in numbers else [table])])


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
