"""Area and leakage of an accelerator that can run a whole plan: every unit the plan uses sits in every PE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inexact.core.workload import Workload
from inexact.hardware._constants import ZERO, Triple, product, scaled, total
from inexact.hardware._rates import column_table
from inexact.hardware._units import unit_cost

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator


@dataclass(frozen=True, kw_only=True, slots=True)
class Demands:
    """What a plan asks of the hardware. units: distinct multiplier specs; bits: widest of all layers; the rest: is it used anywhere."""

    units: tuple[str, ...]
    a_bits: int
    b_bits: int
    accumulator_bits: int
    sign_magnitude: bool
    zero_points: bool
    column_bits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Silicon:
    """area: um2 by component. Leakages in uW; that of the multipliers is part of that of the array."""

    area: dict[str, Triple]
    multiplier_leakage: Triple
    array_leakage: Triple
    buffer_leakage: Triple


def demands(workload: Workload) -> Demands:
    """Collect the demands of all layers on the array; float layers ask nothing of it.

    column_bits: a_bits of the widest correction column, or 0.
    """
    used = [layer.arithmetic for layer in workload.layers if layer.arithmetic.multiplier is not None]
    return Demands(
        units=tuple(sorted({arithmetic.multiplier or "" for arithmetic in used})),
        a_bits=max((arithmetic.a_bits for arithmetic in used), default=8),
        b_bits=max((arithmetic.b_bits for arithmetic in used), default=8),
        accumulator_bits=max((arithmetic.accumulator_bits for arithmetic in used), default=32),
        sign_magnitude=any(arithmetic.coding == "sign_magnitude" for arithmetic in used),
        zero_points=any(arithmetic.coding == "unsigned" for arithmetic in used),
        column_bits=max((arithmetic.a_bits for arithmetic in used if arithmetic.correction_column), default=0),
    )


def silicon(machine: Accelerator, wanted: Demands) -> Silicon:
    """Area and leakage of the machine with what the plan demands."""
    constants = machine.technology
    pes = machine.rows * machine.columns
    adder_area = scaled(constants["adder_area"].triple, 1 / 32)
    register_area = scaled(constants["register_area"].triple, 1 / 32)
    logic = _gate_bits(machine, wanted)
    multipliers = total(unit_cost(spec).area for spec in wanted.units)
    bits = wanted.a_bits + wanted.b_bits + wanted.accumulator_bits
    column_step = scaled(total((adder_area, register_area)), wanted.accumulator_bits * machine.rows)
    table = column_table(constants, wanted.column_bits) if wanted.column_bits else None
    lanes = machine.postprocess_lanes * 16
    area = {
        "multipliers": scaled(product(multipliers, constants["multiplier_area"].triple), pes),
        "adders": scaled(adder_area, wanted.accumulator_bits * pes),
        "registers": scaled(register_area, bits * pes),
        "sign_logic": product(adder_area, logic["sign_logic"]),
        "unit_selection": product(adder_area, logic["unit_selection"]),
        "zero_points": column_step if wanted.zero_points else ZERO,
        "correction_column": total((column_step, (table.area_um2 * machine.rows,) * 3)) if table else ZERO,
        **{f"{name}_buffer": (memory.area_um2,) * 3 for name, memory in machine.buffers.items()},
        "requantisation": scaled(constants["multiplier_area"].triple, lanes),
    }
    columns = int(wanted.zero_points) + int(bool(table))
    adder_leak = scaled(constants["adder_leakage"].triple, 1 / 32)
    multiplier_leak = constants["multiplier_leakage"].triple
    units_leak = scaled(product(multipliers, multiplier_leak), pes)
    array = total(
        (
            units_leak,
            scaled(adder_leak, wanted.accumulator_bits * (pes + columns * machine.rows)),
            *(product(adder_leak, share) for share in logic.values()),
            scaled((1.0, 1.0, 1.0), table.leakage_uw * machine.rows) if table else ZERO,
        )
    )
    buffers = sum(memory.leakage_uw for memory in machine.buffers.values())
    post = scaled(multiplier_leak, lanes)
    return Silicon(area=area, multiplier_leakage=units_leak, array_leakage=array, buffer_leakage=total(((buffers,) * 3, post)))


def _gate_bits(machine: Accelerator, wanted: Demands) -> dict[str, Triple]:
    """Sign logic and unit selection in full-adder equivalents over the whole array."""
    constants = machine.technology
    operand_bits = (wanted.a_bits + wanted.b_bits) * machine.rows * machine.columns
    distinct = len(wanted.units)
    selection = ZERO
    if distinct > 1:
        muxes = scaled(constants["mux_ratio"].triple, (distinct - 1) * operand_bits)
        selection = total((muxes, scaled(constants["and_ratio"].triple, distinct * operand_bits)))
    return {
        "sign_logic": scaled(constants["xor_ratio"].triple, operand_bits) if wanted.sign_magnitude else ZERO,
        "unit_selection": selection,
    }
