"""Area and leakage of an accelerator that can run a whole plan: every unit the plan uses sits in every PE, or has columns of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inexact import units
from inexact.core.workload import Workload
from inexact.hardware._constants import ZERO, Sram, Triple, product, scaled, total
from inexact.hardware._layer import unit_of
from inexact.hardware._modes import switched_cost
from inexact.hardware._pe import ElementCost, adder_ratio, element_cost, flip_flop
from inexact.hardware._rates import column_table
from inexact.hardware._schemes import additional_elements, beside_element, shifted_bits
from inexact.hardware._subword import WIDTH, overhead
from inexact.units import Multiplier, multipliers
from inexact.units.catalogue import PE_ACCUMULATOR_BITS
from inexact.units.cost import relative_cost

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator


@dataclass(frozen=True, kw_only=True, slots=True)
class Demands:
    """What a plan asks of the hardware. units: distinct (multiplier, signs); bits: the widest; the rest: is it used anywhere.

    switched: those of the multipliers whose mode comes with the weight. mode_bits: bits of such a mode.
    """

    units: tuple[tuple[str, bool], ...]
    adders: tuple[str, ...]
    a_bits: int
    b_bits: int
    accumulator_bits: int
    sign_magnitude: bool
    zero_points: bool
    column_bits: int
    columns: int
    coefficient_bits: int
    beside: ElementCost | None = None
    shift_bits: int = 0
    switched: frozenset[str] = frozenset()
    mode_bits: int = 0

    @property
    def multipliers(self) -> tuple[str, ...]:
        """Distinct multipliers, however coded."""
        return tuple(sorted({spec for spec, _ in self.units}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Silicon:
    """area: um2 by component. Leakages in uW; that of the multipliers is part of that of the array."""

    area: dict[str, Triple]
    multiplier_leakage: Triple
    array_leakage: Triple
    buffer_leakage: Triple


def demands(machine: Accelerator, workload: Workload) -> Demands:
    """Collect the demands of all layers on the array; float layers ask nothing of it.

    column_bits: a_bits of the widest correction column, or 0. columns: most correction columns of a layer. coefficient_bits: bits of all
    coefficients that one output multiplies columns with. Exact multipliers of several widths are one, the widest: operands of a
    narrow layer leave its upper bits at rest.
    """
    used = [layer for layer in workload.multiplying if layer.arithmetic.multiplier is not None]
    planned = [layer.arithmetic for layer in used]
    signed = any(arithmetic.coding == "sign_magnitude" for arithmetic in planned)
    beside = [cost for arithmetic in planned if (cost := beside_element(arithmetic)) is not None]
    switched = {circuit_of_modes(arithmetic.multiplier or "") for arithmetic in planned if arithmetic.modes}
    return Demands(
        switched=frozenset(switched),
        mode_bits=max((multipliers.get(spec).mode_bits for spec in switched), default=0),
        units=_distinct({unit_of(machine, layer) for layer in used}),
        adders=tuple(sorted({arithmetic.adder for arithmetic in planned})),
        a_bits=max((arithmetic.a_bits for arithmetic in planned), default=8),
        b_bits=max((arithmetic.b_bits for arithmetic in planned), default=8),
        accumulator_bits=max((arithmetic.accumulator_bits for arithmetic in planned), default=32),
        sign_magnitude=signed,
        zero_points=any(arithmetic.coding == "unsigned" for arithmetic in planned),
        column_bits=max((arithmetic.a_bits for arithmetic in planned if arithmetic.columns), default=0),
        columns=max((arithmetic.columns for arithmetic in planned), default=0),
        coefficient_bits=max((arithmetic.factors * arithmetic.coefficient_bits for arithmetic in planned), default=0),
        shift_bits=max((shifted_bits(arithmetic) for arithmetic in planned), default=0),
        beside=max(beside, key=lambda cost: cost.multiplier.area, default=None),
    )


def _distinct(found: set[tuple[str, bool]]) -> tuple[tuple[str, bool], ...]:
    """Units of a plan, without exact ones that a wider exact one of the same signedness stands in for, and modes of one circuit once."""
    exact: dict[tuple[bool, bool], tuple[str, bool]] = {}
    kept = set()
    for given, signs in found:
        spec = circuit_of_modes(given)
        if spec.partition("(")[0] != "exact":
            kept.add((spec, signs))
            continue
        kind = ("signed=true" in spec, signs)
        if kind not in exact or element_cost(spec, signs=signs).multiplier.area > element_cost(exact[kind][0], signs=signs).multiplier.area:
            exact[kind] = (spec, signs)
    return tuple(sorted(kept | set(exact.values())))


def circuit_of_modes(spec: str) -> str:
    """The mode of a run-time reconfigurable unit that holds the whole circuit; any other unit's own spec."""
    unit = units.of_any_system(spec)
    modes = unit.modes() if isinstance(unit, Multiplier) else {}
    return max((mode.spec for mode in modes.values()), key=lambda mode: (element_cost(mode).multiplier.area, mode), default=spec)


def mode_switches(spec: str) -> float:
    """Area of the switches that choose a mode over that of the exact multiplier, by the gate-count model; 0 without modes."""
    unit = units.of_any_system(spec)
    return max(0.0, relative_cost(unit).area.value - 1) if isinstance(unit, Multiplier) and unit.modes() else 0.0


def elements(wanted: Demands) -> list[ElementCost]:
    """The elements of a plan, those beside the array included."""
    return [*_in_array(wanted), *([] if wanted.beside is None else [wanted.beside])]


def _in_array(wanted: Demands) -> list[ElementCost]:
    return [
        switched_cost(((spec, 1.0),), signs=signs) if spec in wanted.switched else element_cost(spec, signs=signs)
        for spec, signs in wanted.units
    ]


def silicon(machine: Accelerator, wanted: Demands) -> Silicon:
    """Area and leakage of the machine with what the plan demands."""
    pe = _one_pe(machine, wanted)
    extra = _beside(machine, wanted, pe.register_area)
    table = column_table(machine.technology, wanted.column_bits) if wanted.column_bits else None
    buffers = sum(memory.bank.leakage_uw * memory.banks for memory in machine.memories.values())
    post = scaled(machine.technology["multiplier_leakage"].triple, _requantiser_bits(machine))
    return Silicon(
        area=_area(machine, wanted, pe, extra, table),
        multiplier_leakage=_flat(pe.multiplier_leak * machine.rows * machine.columns),
        array_leakage=_array_leakage(machine, wanted, pe, extra, table),
        buffer_leakage=total(((buffers,) * 3, post)),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Element:
    """One PE with all units the plan uses. Areas in um2, leakages in uW; registers: of a bit, of which it has `bits`.

    shared: the share of PEs a unit is in, less than 1 where every unit has columns of its own.
    """

    multiplier_area: float
    multiplier_leak: float
    adder_area: float
    adder_leak: float
    register_area: float
    register_leak: float
    bits: int
    bit_area: float
    bit_leak: float
    shared: float


def _one_pe(machine: Accelerator, wanted: Demands) -> _Element:
    constants, scale = machine.technology, machine.rates.scale
    found = _in_array(wanted)
    if machine.style == "subword":  # every mode is the whole array
        found = [element_cost(f"exact(width={WIDTH})", signs=any(signs for _, signs in wanted.units))]
    shared = 1 / len(found) if machine.words["pe.units"] == "tiles" and len(found) > 1 else 1.0

    def whole(part: str) -> float:
        return max((getattr(cost.adder, part) * (wanted.accumulator_bits / cost.accumulator_bits) for cost in found), default=0.0)

    adders = [adder_ratio(spec) for spec in wanted.adders]
    adder_area = whole("area") * sum(ratio.area for ratio in adders) * scale.adder_area
    adder_leak = whole("leakage") * sum(ratio.leakage for ratio in adders) * scale.leakage
    multiplier_area = sum(cost.multiplier.area for cost in found) * shared * scale.multiplier_area * overhead(machine, "area")
    multiplier_leak = sum(cost.multiplier.leakage for cost in found) * shared * scale.leakage * overhead(machine, "leakage")
    if machine.style.startswith("serial"):
        gate = adder_area / wanted.accumulator_bits
        row = wanted.b_bits if machine.style == "serial_activations" else 1
        multiplier_area, adder_area = gate * constants["and_ratio"].value * row, gate * (row + 1)
        multiplier_leak = adder_leak = adder_leak * (row + 1) / wanted.accumulator_bits
    operands = 2 * WIDTH if machine.style == "subword" else wanted.a_bits + wanted.b_bits + wanted.mode_bits
    return _Element(
        multiplier_area=multiplier_area,
        multiplier_leak=multiplier_leak,
        adder_area=adder_area,
        adder_leak=adder_leak,
        register_area=flip_flop().area * scale.register_area,
        register_leak=flip_flop().leakage * scale.leakage,
        bits=operands + wanted.accumulator_bits,
        bit_area=adder_area / wanted.accumulator_bits,
        bit_leak=adder_leak / wanted.accumulator_bits,
        shared=shared,
    )


def _area(machine: Accelerator, wanted: Demands, pe: _Element, extra: _Beside, table: Sram | None) -> dict[str, Triple]:
    """um2 by component."""
    constants, pes = machine.technology, machine.rows * machine.columns
    column_step = (pe.bit_area + pe.register_area) * wanted.accumulator_bits * machine.rows
    correction = wanted.columns * (column_step + table.area_um2 * machine.rows) if table else 0.0
    coefficients = machine.postprocess_lanes * wanted.accumulator_bits * wanted.coefficient_bits
    shifters = _flat(constants["mux_ratio"].value * pe.bit_area * wanted.shift_bits * pes)
    return {
        "multipliers": _flat(pe.multiplier_area * (pes + extra.elements) + extra.multipliers),
        "adders": total((_flat(pe.adder_area * (pes + extra.elements) + extra.adders), shifters)),
        "registers": _flat(pe.register_area * pe.bits * (pes + extra.elements) + extra.registers),
        "scratchpads": _flat(_spad_area(machine) * pes),
        "sign_logic": ZERO,
        "unit_selection": _selection_area(machine, wanted, pe),
        "zero_points": _flat(column_step) if wanted.zero_points else ZERO,
        "correction_column": total((_flat(correction), scaled(constants["multiplier_area"].triple, coefficients / 64))),
        **{memory.component: _flat(memory.bank.area_um2 * memory.banks) for memory in machine.memories.values()},
        "requantisation": scaled(constants["multiplier_area"].triple, _requantiser_bits(machine)),
    }


def _selection_area(machine: Accelerator, wanted: Demands, pe: _Element) -> Triple:
    """um2 of what chooses among units, and among the modes of one."""
    uniform = [(spec, signs) for spec, signs in wanted.units if spec not in wanted.switched]
    switches = sum(mode_switches(spec) * element_cost(spec, signs=signs).multiplier.area for spec, signs in uniform)
    logic = ZERO if pe.shared < 1 else _gate_bits(machine, wanted)
    pes, scale = machine.rows * machine.columns, machine.rates.scale
    return total((scaled(logic, pe.bit_area), _flat(switches * pe.shared * scale.multiplier_area * pes)))


def _array_leakage(machine: Accelerator, wanted: Demands, pe: _Element, extra: _Beside, table: Sram | None) -> Triple:
    """uW."""
    pes, columns = machine.rows * machine.columns, int(wanted.zero_points) + wanted.columns
    return total(
        (
            _flat((pe.multiplier_leak + pe.adder_leak + pe.register_leak * pe.bits) * extra.elements + extra.leakage),
            _flat(pe.multiplier_leak * pes),
            _flat(pe.adder_leak * (pes + columns * machine.rows)),
            _flat(pe.register_leak * pe.bits * pes),
            ZERO if pe.shared < 1 else scaled(_gate_bits(machine, wanted), pe.bit_leak),
            scaled((1.0, 1.0, 1.0), table.leakage_uw * machine.rows * wanted.columns) if table else ZERO,
        )
    )


def _requantiser_bits(machine: Accelerator) -> int:
    return machine.postprocess_lanes * 16


@dataclass(frozen=True, kw_only=True, slots=True)
class _Beside:
    """What stands beside the array for outliers. elements: like the array's own. The rest: um2, and uW, of the wide units."""

    elements: int = 0
    multipliers: float = 0.0
    adders: float = 0.0
    registers: float = 0.0
    leakage: float = 0.0


def _beside(machine: Accelerator, wanted: Demands, register_area: float) -> _Beside:
    cost = wanted.beside
    if cost is None:
        return _Beside()
    count, scale = machine.numbers["pe.outlier_units"].value, machine.rates.scale
    width = wanted.accumulator_bits / PE_ACCUMULATOR_BITS
    bits = 2 * machine.operand_bits + wanted.accumulator_bits
    leak = cost.multiplier.leakage + cost.adder.leakage * width + flip_flop().leakage * bits
    return _Beside(
        elements=additional_elements(machine),
        multipliers=cost.multiplier.area * scale.multiplier_area * count,
        adders=cost.adder.area * width * scale.adder_area * count,
        registers=register_area * bits * count,
        leakage=leak * scale.leakage * count,
    )


def _flat(value: float) -> Triple:
    return value, value, value


def _spad_area(machine: Accelerator) -> float:
    """um2 of the scratchpads of one PE: flip-flops of the cited table's registers, its densest public figure for so few words."""
    words = sum(constant.value for name, constant in machine.numbers.items() if name.startswith("spads."))
    return words * 16 * machine.technology["register_area"].value / 32


def _gate_bits(machine: Accelerator, wanted: Demands) -> Triple:
    """Unit selection in full-adder equivalents over the whole array."""
    constants = machine.technology
    operand_bits = (wanted.a_bits + wanted.b_bits) * machine.rows * machine.columns
    distinct = len(wanted.multipliers)
    if distinct < 2:
        return ZERO
    muxes = scaled(constants["mux_ratio"].triple, (distinct - 1) * operand_bits)
    return total((muxes, product(constants["and_ratio"].triple, _flat(distinct * operand_bits))))
