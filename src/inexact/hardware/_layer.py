"""One layer: cycles and dynamic energy by component. What depends on the whole plan (leakage, unit selection) is added later."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from inexact.core.errors import HardwareError, near
from inexact.core.workload import CODINGS, LayerWorkload
from inexact.hardware._constants import ZERO, Triple, product, scaled, total
from inexact.hardware._mapping import Mapping, map_layer
from inexact.hardware._rates import column_table
from inexact.hardware._units import unit_cost

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator

FLOAT_BITS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerEnergy:
    """Dynamic energy of one layer in pJ by component; `multiplier_model`: multiplier energy at the ends of the unit's own cost model."""

    cycles: int
    mapping: Mapping | None
    energy: dict[str, Triple]
    multiplier_model: tuple[float, float]


def check_layer(layer: LayerWorkload) -> None:
    """Raise HardwareError for a layer no array can compute: sizes that are not positive, groups that do not divide, unknown coding."""
    sizes = ("batch", "in_channels", "out_channels", "in_h", "in_w", "out_h", "out_w", "kernel_h", "kernel_w", "groups")
    for name in sizes:
        if getattr(layer, name) < 1:
            raise HardwareError(f"{name} of layer {layer.name!r} must be at least 1, not {getattr(layer, name)}")
    if layer.in_channels % layer.groups or layer.out_channels % layer.groups:
        raise HardwareError(
            f"groups of layer {layer.name!r} must divide its {layer.in_channels} input and {layer.out_channels} output channels, "
            f"not {layer.groups}"
        )
    arithmetic = layer.arithmetic
    if arithmetic.coding not in CODINGS:
        raise HardwareError(
            f"coding of {layer.name!r} must be one of {', '.join(CODINGS)}, not {arithmetic.coding!r}{near(arithmetic.coding, CODINGS)}"
        )
    if arithmetic.multiplier is not None:
        for name, high in (("a_bits", 16), ("b_bits", 16), ("accumulator_bits", 64)):
            if not 1 <= getattr(arithmetic, name) <= high:
                raise HardwareError(f"{name} of layer {layer.name!r} must be 1..{high}, not {getattr(arithmetic, name)}")


def layer_energy(machine: Accelerator, layer: LayerWorkload, *, input_resident: bool, output_resident: bool) -> LayerEnergy:
    """Cycles (with stalls) and dynamic energy of one layer."""
    check_layer(layer)
    if layer.arithmetic.multiplier is None:
        return _float_layer(machine, layer, input_resident, output_resident)
    mapping = choose_mapping(machine, layer, input_resident=input_resident, output_resident=output_resident)
    multiply = scaled(machine.rates.multiply, layer.macs)
    relative = unit_cost(layer.arithmetic.multiplier).energy
    outputs = layer.pixels * layer.out_channels
    bandwidth = ceil((mapping.dram_reads + mapping.dram_writes) / machine.dram_bits_per_cycle)
    energy = {
        "multipliers": scaled(multiply, relative[0]),
        "adders": scaled(machine.rates.add_bit, layer.macs * layer.arithmetic.accumulator_bits),
        "registers": scaled(machine.rates.register_bit, mapping.register_bits),
        "zero_points": _zero_points(machine, layer),
        "correction_column": _correction_column(machine, layer),
        "idle_pes": _idle(machine, layer, mapping),
        **_memory_energy(machine, mapping),
        "requantisation": scaled(machine.rates.requantise, outputs),
    }
    return LayerEnergy(
        cycles=max(mapping.cycles, bandwidth, ceil(outputs / machine.postprocess_lanes)),
        mapping=mapping,
        energy=energy,
        multiplier_model=(multiply[0] * relative[1], multiply[0] * relative[2]),
    )


def choose_mapping(machine: Accelerator, layer: LayerWorkload, *, input_resident: bool, output_resident: bool) -> Mapping:
    """The dataflow with the least energy of registers and memories, then the fewest cycles.

    The unit has no say, so that a saving is never an effect of another mapping.
    """
    found = [
        map_layer(layer, machine.sizes, dataflow, input_resident=input_resident, output_resident=output_resident)
        for dataflow in machine.dataflows
    ]
    if len(found) == 1:
        return found[0]

    def cost(mapping: Mapping) -> tuple[float, int]:
        moved = scaled(machine.rates.register_bit, mapping.register_bits)[0] + total(_memory_energy(machine, mapping).values())[0]
        return moved, mapping.cycles

    return min(found, key=cost)


def _memory_energy(machine: Accelerator, mapping: Mapping) -> dict[str, Triple]:
    activation, weight, accumulator = machine.activation_buffer, machine.weight_buffer, machine.accumulator_buffer
    return {
        "activation_buffer": _moved(activation.read, mapping.activation_reads, activation.write, mapping.activation_writes),
        "weight_buffer": _moved(weight.read, mapping.weight_reads, weight.write, mapping.weight_writes),
        "accumulator_buffer": _moved(accumulator.read, mapping.accumulator_reads, accumulator.write, mapping.accumulator_writes),
        "dram": scaled(machine.rates.dram_bit, mapping.dram_reads + mapping.dram_writes),
    }


def _moved(read: Triple, reads: float, write: Triple, writes: float) -> Triple:
    return read[0] * reads + write[0] * writes, read[1] * reads + write[1] * writes, read[2] * reads + write[2] * writes


def _zero_points(machine: Accelerator, layer: LayerWorkload) -> Triple:
    """Unsigned affine weights: sum of activations once a window, times the weight zero point, added to every output.

    The sum of weights is a constant and sits in the bias; signed and sign-magnitude weights have no zero point.
    """
    arithmetic = layer.arithmetic
    if arithmetic.coding != "unsigned":
        return ZERO
    sums = layer.pixels * layer.groups
    step = _accumulate(machine, arithmetic.accumulator_bits)
    multiply = scaled(machine.rates.multiply, arithmetic.accumulator_bits * arithmetic.b_bits / 64)
    outputs = layer.pixels * layer.out_channels
    adds = scaled(machine.rates.add_bit, outputs * arithmetic.accumulator_bits)
    return total((scaled(step, sums * layer.window), scaled(multiply, sums), adds))


def _correction_column(machine: Accelerator, layer: LayerWorkload) -> Triple:
    """One extra array column: look f(a) up, sum over the window once, add to every output; the table is written before each layer."""
    arithmetic = layer.arithmetic
    if not arithmetic.correction_column:
        return ZERO
    table = column_table(machine.technology, arithmetic.a_bits)
    look_up = scaled(table.read, 64)
    step = total((look_up, _accumulate(machine, arithmetic.accumulator_bits)))
    load = scaled(table.write, machine.rows * 2**arithmetic.a_bits * 16)
    adds = scaled(machine.rates.add_bit, layer.pixels * layer.out_channels * arithmetic.accumulator_bits)
    return total((scaled(step, layer.pixels * layer.groups * layer.window), load, adds))


def _accumulate(machine: Accelerator, bits: int) -> Triple:
    return scaled(total((machine.rates.add_bit, machine.rates.register_bit)), bits)


def _idle(machine: Accelerator, layer: LayerWorkload, mapping: Mapping) -> Triple:
    """PEs without work are clock-gated (nominal and low: nothing); at the high end every register of theirs is still clocked."""
    arithmetic = layer.arithmetic
    idle = mapping.cycles * machine.rows * machine.columns - layer.macs
    bits = arithmetic.a_bits + arithmetic.b_bits + arithmetic.accumulator_bits
    return 0.0, 0.0, machine.rates.register_bit[2] * bits * idle


def _float_layer(machine: Accelerator, layer: LayerWorkload, input_resident: bool, output_resident: bool) -> LayerEnergy:
    """A layer kept in float32 runs on the host's vector unit: a cache feeds one weight a MAC and one activation a vector."""
    macs, lanes = layer.macs, machine.float_lanes
    multiply = scaled(machine.rates.float_multiply, macs)
    inputs = 0 if input_resident else layer.batch * layer.in_channels * layer.in_h * layer.in_w
    outputs = 0 if output_resident else layer.pixels * layer.out_channels
    weights = layer.window * layer.out_channels
    moved = FLOAT_BITS * (inputs + outputs + weights)
    energy = {
        "multipliers": multiply,
        "adders": scaled(machine.rates.float_add, macs),
        "activation_buffer": scaled(machine.rates.cache_bit, FLOAT_BITS * (macs / lanes + layer.pixels * layer.out_channels)),
        "weight_buffer": scaled(machine.rates.cache_bit, FLOAT_BITS * macs),
        "dram": scaled(machine.rates.dram_bit, moved),
    }
    return LayerEnergy(
        cycles=max(ceil(macs / lanes), ceil(moved / machine.dram_bits_per_cycle)),
        mapping=None,
        energy=energy,
        multiplier_model=(multiply[0], multiply[0]),
    )


def unit_selection(machine: Accelerator, layer: LayerWorkload, distinct: int) -> Triple:
    """PEs that hold several units: operand isolation in front, a multiplexer tree behind; only the active unit switches."""
    arithmetic = layer.arithmetic
    if distinct < 2 or arithmetic.multiplier is None:
        return ZERO
    bits = layer.macs * (arithmetic.a_bits + arithmetic.b_bits)
    return _moved(machine.rates.mux_bit, bits * (distinct - 1).bit_length(), machine.rates.and_bit, bits)


def sign_logic(machine: Accelerator, layer: LayerWorkload, used: bool) -> Triple:
    """One XOR a product bit behind every multiplier once any layer is coded in sign and magnitude; the +1 is the adder's carry-in."""
    arithmetic = layer.arithmetic
    if not used or arithmetic.multiplier is None:
        return ZERO
    return scaled(machine.rates.xor_bit, layer.macs * (arithmetic.a_bits + arithmetic.b_bits))


def leakage(watts_uw: Triple, seconds_ns: float) -> Triple:
    """Energy in pJ of a leakage power in uW over a time in ns."""
    return product(watts_uw, (seconds_ns / 1000,) * 3)
