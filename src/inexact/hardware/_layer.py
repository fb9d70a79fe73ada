"""One layer: cycles and dynamic energy by component. What depends on the whole plan (leakage, unit selection) is added later."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from inexact.core.errors import HardwareError
from inexact.core.workload import VECTOR_KINDS, LayerWorkload
from inexact.hardware._constants import ZERO, Triple, product, scaled, total
from inexact.hardware._deliveries import memory_bits, register_bits
from inexact.hardware._mapping import Mapping, stored_bits
from inexact.hardware._modes import switched_cost
from inexact.hardware._pe import ElementCost, adder_ratio, element_cost
from inexact.hardware._rates import column_table
from inexact.hardware._schemes import beside_cycles, beside_energy, block_energy, energy_share, repeated_sums, shift_energy
from inexact.hardware._subword import part_bits

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator

FLOAT_BITS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerEnergy:
    """Dynamic energy of one layer in pJ by component; `multiplier_model`: multiplier energy at the ends of the unit's own cost model.

    cycles: with stalls. mapping: None for layers that do not run on the array; `runs_on` says where they do.
    """

    cycles: int
    mapping: Mapping | None
    energy: dict[str, Triple]
    multiplier_model: tuple[float, float]
    runs_on: str = "array"


HELD = {"weight_stationary": "network_b_held", "input_stationary": "network_a_held"}
"""Dataflow -> regime of activity; others bring both operands anew every cycle."""


def element(machine: Accelerator, layer: LayerWorkload, dataflow: str) -> ElementCost:
    """The processing element a layer runs on: its unit under its coding, with operands as the dataflow brings them."""
    spec, signs = unit_of(machine, layer)
    regime = HELD.get(dataflow, "network") if machine.words["pe.operands"] == "network" else "uniform"
    if layer.arithmetic.modes:
        measured = None if layer.a_histogram is None or layer.b_histogram is None else (layer.a_histogram, layer.b_histogram)
        return switched_cost(layer.arithmetic.modes, signs=signs, regime=regime, histograms=measured)
    if layer.a_histogram is None or layer.b_histogram is None:
        return element_cost(spec, signs=signs, regime=regime)
    if machine.style in ("passes", "subword"):
        raise HardwareError(
            f"the {machine.style} processing elements of {machine.name} multiply operands in parts, which the measured ones of layer "
            f"{layer.name!r} are not: leave measured operands away"
        )
    return element_cost(spec, signs=signs, regime=regime, histograms=(layer.a_histogram, layer.b_histogram))


def unit_of(machine: Accelerator, layer: LayerWorkload) -> tuple[str, bool]:
    """(spec, signs) of the element a layer runs on. A spec `exact` means the exact unit of the layer's widths and coding."""
    arithmetic = layer.arithmetic
    spec, signs = arithmetic.multiplier or "exact", arithmetic.coding == "sign_magnitude"
    if machine.style == "subword":
        return f"exact(width={part_bits(arithmetic)})", signs
    if machine.style == "passes":
        narrow = f"width={machine.narrow_bits}"
        return (f"exact(signed=true,{narrow})" if arithmetic.coding == "signed" else f"exact({narrow})"), signs
    if spec == "exact":
        if machine.multiplier is not None:
            return machine.multiplier, signs
        a, b = arithmetic.a_bits, arithmetic.b_bits - signs
        signed = "signed=true," if arithmetic.coding == "signed" else ""
        spec = f"exact({signed}width=({a},{max(1, b)}))" if min(a, b) > 1 else "exact(width=(2,2))"
    return spec, signs


def layer_energy(machine: Accelerator, layer: LayerWorkload, *, input_resident: bool, output_resident: bool) -> LayerEnergy:
    """Cycles (with stalls) and dynamic energy of one layer that `check_layer` let pass."""
    if not layer.multiplies:
        return _vector_layer(machine, layer, input_resident, output_resident)
    if layer.arithmetic.multiplier is None:
        return _float_layer(machine, layer, input_resident, output_resident)
    mapping = machine.map(layer, input_resident=input_resident, output_resident=output_resident)
    outputs = layer.pixels * layer.out_channels
    multipliers, model, adders = _arithmetic(machine, layer, mapping.dataflow)
    memory = memory_bits(machine, layer, mapping)
    dram = mapping.dram_reads + mapping.dram_writes + layer.kept_bits * outputs
    energy = {
        "multipliers": multipliers,
        "adders": adders,
        "registers": scaled(machine.rates.register_bit, register_bits(layer, mapping) + repeated_sums(machine, layer, mapping)),
        "reduction_control": scaled(machine.rates.add_bit, layer.macs * layer.checks * layer.arithmetic.accumulator_bits),
        "scratchpads": _scratchpads(machine, layer, mapping),
        "zero_points": _zero_points(machine, layer),
        "correction_column": _correction_column(machine, layer),
        "idle_pes": _idle(machine, layer, mapping),
        **_memory_energy(machine, memory),
        "requantisation": scaled(machine.rates.requantise, outputs),
        "dram": scaled(machine.rates.dram_bit, dram),
    }
    cycles = int(machine.stretched(ceil(mapping.cycles * layer.busy), memory, dram))
    return LayerEnergy(
        cycles=max(cycles, ceil(outputs / machine.postprocess_lanes), beside_cycles(machine, layer)),
        mapping=mapping,
        energy=energy,
        multiplier_model=model,
    )


def _arithmetic(machine: Accelerator, layer: LayerWorkload, dataflow: str) -> tuple[Triple, tuple[float, float], Triple]:
    """Energy of multipliers (and at the ends of their model) and of adders."""
    arithmetic, rates = layer.arithmetic, machine.rates
    b, s = arithmetic.b_bits, arithmetic.accumulator_bits
    # An element that rests with zeros, and a reduction that leaves them out, are the same saving once.
    gated = 1 - layer.a_sparsity if machine.words["pe.gating"] == "zero" and layer.executed == 1 else 1.0
    busy, added = layer.macs * layer.executed * gated, layer.macs * layer.additions * gated
    if machine.style.startswith("serial"):
        # A bit of the activation (and of the weight) a cycle: AND gates, then one adder of the partial product's width.
        beats, width = machine.pace(layer)[0], b if machine.style == "serial_activations" else 1
        multipliers = scaled(rates.and_bit, busy * beats * width)
        adders = scaled(rates.add_bit, added * beats * (width + 1))
        return multipliers, (multipliers[0], multipliers[0]), adders
    cost = element(machine, layer, dataflow)
    share = energy_share(machine, arithmetic)
    energy = scaled(rates.scale.multiplier, busy * cost.multiplier.energy * share)
    nominal = rates.scale.multiplier[0] * busy * share
    adder = cost.adder.energy * adder_ratio(arithmetic.adder).energy * s / cost.accumulator_bits
    again = share if machine.style == "passes" else 1.0  # every narrow product is added by itself
    adders = scaled(rates.scale.adder, added * adder * again)
    beside, beside_adders = beside_energy(machine, layer)
    model = nominal * cost.model[0] + beside[0], nominal * cost.model[1] + beside[0]
    return total((energy, beside)), model, total((adders, beside_adders, shift_energy(machine, layer), block_energy(machine, layer)))


def _memory_energy(machine: Accelerator, moved: dict[str, tuple[float, float]]) -> dict[str, Triple]:
    found = {}
    for name, (read, written) in moved.items():
        memory = machine.memories[name]
        found[memory.component] = _moved(memory.bank.read, read, memory.bank.write, written)
    return found


def _scratchpads(machine: Accelerator, layer: LayerWorkload, mapping: Mapping) -> Triple:
    """Words of scratchpads: of a product that is left out only the activation may be read."""
    share = {"input": layer.a_reads, "weight": min(1.0, layer.additions), "sum": min(1.0, layer.additions)}
    energy = sum(machine.spad_bit_pj[role] * (share[role] * read + written) for role, (read, written) in mapping.spads.items())
    return scaled(machine.technology["sram_spread"].triple, energy)


def _moved(read: Triple, reads: float, write: Triple, writes: float) -> Triple:
    return read[0] * reads + write[0] * writes, read[1] * reads + write[1] * writes, read[2] * reads + write[2] * writes


def _zero_points(machine: Accelerator, layer: LayerWorkload) -> Triple:
    """Unsigned affine weights: sum of activations once a window, times the zero point of each output's weights, added to every output.

    A product of activations has one zero point, multiplied once a window. The sum of weights is a constant and sits in the bias; signed
    and sign-magnitude weights have no zero point.
    """
    arithmetic = layer.arithmetic
    if arithmetic.coding != "unsigned":
        return ZERO
    sums = layer.pixels * layer.groups
    step = _accumulate(machine, arithmetic.accumulator_bits)
    multiply = scaled(machine.rates.multiply, arithmetic.accumulator_bits * arithmetic.b_bits / 64)
    outputs = layer.pixels * layer.out_channels
    adds = scaled(machine.rates.add_bit, outputs * arithmetic.accumulator_bits)
    return total((scaled(step, sums * layer.window), scaled(multiply, sums if layer.kind == "product" else outputs), adds))


def _correction_column(machine: Accelerator, layer: LayerWorkload) -> Triple:
    """Extra array columns: look f(a) up, sum over the window once, add to every output; the tables are written before each layer.

    Of a column with coefficients every output adds its own multiple.
    """
    arithmetic = layer.arithmetic
    if not arithmetic.columns:
        return ZERO
    table = column_table(machine.technology, arithmetic.a_bits)
    look_up = scaled(table.read, 64)
    step = total((look_up, _accumulate(machine, arithmetic.accumulator_bits)))
    load = scaled(table.write, machine.rows * 2**arithmetic.a_bits * 16)
    outputs = layer.pixels * layer.out_channels
    adds = scaled(machine.rates.add_bit, outputs * arithmetic.accumulator_bits)
    column = total((scaled(step, layer.pixels * layer.groups * layer.window), load, adds))
    bits = arithmetic.accumulator_bits * arithmetic.coefficient_bits
    multiples = scaled(machine.rates.multiply, arithmetic.factors * outputs * bits / 64)
    return total((scaled(column, arithmetic.columns), multiples))


def _accumulate(machine: Accelerator, bits: int) -> Triple:
    return scaled(total((machine.rates.add_bit, machine.rates.register_bit)), bits)


def _idle(machine: Accelerator, layer: LayerWorkload, mapping: Mapping) -> Triple:
    """PEs without work are clock-gated (nominal and low: nothing); at the high end every register of theirs is still clocked."""
    arithmetic = layer.arithmetic
    idle = mapping.cycles * machine.rows * machine.columns - layer.macs / machine.macs_per_cycle(layer)
    bits = arithmetic.a_bits + arithmetic.b_bits + arithmetic.accumulator_bits
    return 0.0, 0.0, machine.rates.register_bit[2] * bits * max(0.0, idle)


def _float_layer(machine: Accelerator, layer: LayerWorkload, input_resident: bool, output_resident: bool) -> LayerEnergy:
    """A layer kept in float32 runs on the host's vector unit: a cache feeds one weight a MAC and one activation a vector."""
    macs, lanes = layer.macs, machine.float_lanes
    multiply = scaled(machine.rates.float_multiply, macs)
    moved = FLOAT_BITS * ((0 if input_resident else layer.inputs) + (0 if output_resident else layer.outputs) + layer.weights)
    home, weights = machine.home("inputs"), machine.home("weights")
    assert home is not None
    cached = scaled(machine.rates.cache_bit, FLOAT_BITS * (macs / lanes + layer.outputs))
    fed = scaled(machine.rates.cache_bit, FLOAT_BITS * macs)
    energy = {
        "multipliers": multiply,
        "adders": scaled(machine.rates.float_add, macs),
        "dram": scaled(machine.rates.dram_bit, moved),
    }
    if weights is None or weights is home:
        energy[home.component] = total((cached, fed))
    else:
        energy |= {home.component: cached, weights.component: fed}
    return LayerEnergy(
        cycles=max(ceil(macs / lanes), ceil(moved / machine.dram_bits_per_cycle)),
        mapping=None,
        energy=energy,
        multiplier_model=(multiply[0], multiply[0]),
        runs_on="float32 vector unit",
    )


def _vector_layer(machine: Accelerator, layer: LayerWorkload, input_resident: bool, output_resident: bool) -> LayerEnergy:
    """A layer without products: its operands pass the vector unit behind the array once, at one element a lane and cycle."""
    bits, width = stored_bits(layer), layer.arithmetic.accumulator_bits
    read = layer.operands * layer.inputs
    steps = read * VECTOR_KINDS[layer.kind]
    inputs, outputs = machine.home("inputs"), machine.home("outputs")
    assert inputs is not None
    assert outputs is not None
    dram_in, dram_out = (0 if input_resident else read * bits), (0 if output_resident else layer.outputs * bits)
    traffic = {"inputs": (read * bits, dram_in), "outputs": (dram_out, layer.outputs * bits)}
    memory = machine.by_memory(traffic)
    energy = {
        "vector_unit": scaled(machine.rates.add_bit, steps * width),
        **_memory_energy(machine, memory),
        "dram": scaled(machine.rates.dram_bit, dram_in + dram_out),
    }
    cycles = int(machine.stretched(ceil(max(read, layer.outputs) / machine.postprocess_lanes), memory, dram_in + dram_out))
    return LayerEnergy(cycles=cycles, mapping=None, energy=energy, multiplier_model=(0.0, 0.0), runs_on="vector unit")


def unit_selection(machine: Accelerator, layer: LayerWorkload, distinct: int) -> Triple:
    """PEs that hold several units: operand isolation in front, a multiplexer tree behind; only the active unit switches."""
    arithmetic = layer.arithmetic
    if distinct < 2 or arithmetic.multiplier is None or not layer.multiplies:
        return ZERO
    bits = layer.macs * (arithmetic.a_bits + arithmetic.b_bits)
    return _moved(machine.rates.mux_bit, bits * (distinct - 1).bit_length(), machine.rates.and_bit, bits)


def sign_logic(machine: Accelerator, layer: LayerWorkload, used: bool) -> Triple:
    """Once any layer is coded in sign and magnitude, the products of the others pass the inverting gates too.

    In the layers that need them, the gates are part of the synthesised element, under `adders`.
    """
    arithmetic = layer.arithmetic
    if not used or arithmetic.multiplier is None or not layer.multiplies or arithmetic.coding == "sign_magnitude":
        return ZERO
    return scaled(machine.rates.xor_bit, layer.macs * (arithmetic.a_bits + arithmetic.b_bits))


def leakage(watts_uw: Triple, seconds_ns: float) -> Triple:
    """Energy in pJ of a leakage power in uW over a time in ns."""
    return product(watts_uw, (seconds_ns / 1000,) * 3)
