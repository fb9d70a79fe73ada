"""Elements narrower than their operands, and operands of several widths or scales: time, energy, and what the elements must have."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from inexact.core.errors import HardwareError
from inexact.core.workload import CODINGS, OUTLIER_LANES, SCHEMES, Arithmetic, Coding, LayerWorkload, Products
from inexact.hardware._constants import ZERO, Triple, scaled, total
from inexact.hardware._mapping import Mapping
from inexact.hardware._pe import ElementCost, element_cost
from inexact.hardware._subword import overheads, products_at_once
from inexact.units.catalogue import PE_ACCUMULATOR_BITS

EXPONENT_BITS = 8
"""Of the power of two that a block's sum is scaled by."""

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator


def codings(machine: Accelerator) -> tuple[Coding, ...]:
    """Codings in which a machine multiplies 8-bit operands: digits of a two's complement operand are not all of one kind."""
    return tuple(coding for coding in CODINGS if coding != "signed") if machine.style in ("passes", "subword") else CODINGS


def check_scheme(machine: Accelerator, layer: LayerWorkload) -> None:
    """Raise HardwareError when the elements cannot multiply a layer's operands as its format wants."""
    held = layer.arithmetic
    if held.scheme and not _serves(machine, held.scheme):
        needed = {
            "outliers": "pe.style = passes and pe.outlier_units",
            "regions": "pe.style = passes",
            "two_scales": "pe.style = parallel",
        }[held.scheme]
        raise HardwareError(
            f"layer {layer.name!r} has {SCHEMES[held.scheme]}, for which the {machine.style.replace('_', ' ')} processing elements of "
            f"{machine.name} are not made: take an accelerator with {needed}"
        )
    if machine.style == "subword" and held.coding == "signed":
        raise HardwareError(
            f"the multipliers of {machine.name} split arrays of unsigned operands, which the two's complement of layer {layer.name!r} is "
            "not: use coding 'unsigned' or 'sign_magnitude'"
        )
    narrow = machine.narrow_bits
    if machine.style == "passes" and held.coding == "signed" and max(_widths(held)) > narrow:
        raise HardwareError(
            f"the processing elements of {machine.name} take operands in digits of {narrow} bits, which the two's complement of layer "
            f"{layer.name!r} does not have: use coding 'unsigned' or 'sign_magnitude', or a format as narrow"
        )


def _serves(machine: Accelerator, scheme: str) -> bool:
    if scheme == "two_scales":
        return machine.style == "parallel"
    return machine.style == "passes" and (scheme == "regions" or "pe.outlier_units" in machine.numbers)


def _widths(held: Arithmetic) -> list[int]:
    parts = [part for part in _parts(held) if not part.beside]
    return [bits for part in parts for bits in (part.a_bits, part.b_bits)]


def _parts(held: Arithmetic) -> tuple[Products, ...]:
    return held.parts or (Products(share=1.0, a_bits=held.a_bits, b_bits=held.b_bits),)


def passes_of(machine: Accelerator, held: Arithmetic, part: Products) -> int:
    """How many narrow products a product takes: digits of one operand times digits of the other, the sign of a magnitude beside them."""
    digits = machine.narrow_bits
    return ceil(part.a_bits / digits) * ceil((part.b_bits - (held.coding == "sign_magnitude")) / digits)


def narrow_products(machine: Accelerator, held: Arithmetic) -> float:
    """Narrow products that the array forms for one product of a layer, on average."""
    return sum(part.share * passes_of(machine, held, part) for part in _parts(held) if not part.beside)


def energy_share(machine: Accelerator, held: Arithmetic) -> float:
    """Energy of the multipliers for one product of a layer, in products of the element's unit."""
    if machine.style == "passes":
        return narrow_products(machine, held)
    if machine.style == "subword":
        return overheads()[f"energy_{products_at_once(held)}"]
    return 1 / machine.pace(LayerWorkload(name="", kind="linear", in_channels=1, out_channels=1, arithmetic=held))[1]


def repeated_sums(machine: Accelerator, layer: LayerWorkload, mapping: Mapping) -> float:
    """Bits of sums that registers take besides: every narrow product of a wide one is added by itself."""
    if machine.style != "passes" or mapping.dataflow == "row_stationary":
        return 0.0
    return layer.macs * layer.arithmetic.accumulator_bits * max(0.0, narrow_products(machine, layer.arithmetic) - 1)


def beats(machine: Accelerator, held: Arithmetic) -> float:
    """Cycles of one product on narrow elements, on average.

    Outliers: every product passes as one of the bulk (a wide activation leaves a zero there), the upper bits of a wide weight through the
    group's additional multiplier; a group with a second wide weight takes its time once more.
    """
    if held.scheme != "outliers":
        return narrow_products(machine, held)
    bulk = Products(share=1.0, a_bits=held.a_bits, b_bits=held.b_bits)
    return passes_of(machine, held, bulk) * (1 + held.waits)


def beside_element(held: Arithmetic) -> ElementCost | None:
    """The element of the units beside the array; None when nothing runs there."""
    part = next((part for part in held.parts if part.beside), None)
    if part is None:
        return None
    signs = held.coding == "sign_magnitude"
    width = f"width=({part.a_bits},{part.b_bits - signs})"
    return element_cost(f"exact({width})" if signs else f"exact(signed=true,{width})", signs=signs)


def beside_energy(machine: Accelerator, layer: LayerWorkload) -> tuple[Triple, Triple]:
    """Energy of multipliers and adders beside the array."""
    cost = beside_element(layer.arithmetic)
    if cost is None:
        return ZERO, ZERO
    count = layer.macs * sum(part.share for part in layer.arithmetic.parts if part.beside)
    width = layer.arithmetic.accumulator_bits / PE_ACCUMULATOR_BITS
    scale = machine.rates.scale
    return scaled(scale.multiplier, count * cost.multiplier.energy), scaled(scale.adder, count * cost.adder.energy * width)


def beside_cycles(machine: Accelerator, layer: LayerWorkload) -> int:
    """Cycles of the units beside the array, which work at the same time."""
    share = sum(part.share for part in layer.arithmetic.parts if part.beside)
    return ceil(layer.macs * share / machine.numbers["pe.outlier_units"].value) if share else 0


def shifted_bits(held: Arithmetic) -> int:
    """Multiplexers that move a product by the scales of its operands: two rows as wide as the moved product; 0 without scales."""
    return 2 * (held.a_bits + held.b_bits + 2 * held.shift) if held.shift else 0


def shift_energy(machine: Accelerator, layer: LayerWorkload) -> Triple:
    """Energy of moving products by the scales of their operands."""
    bits = shifted_bits(layer.arithmetic)
    return scaled(machine.rates.mux_bit, layer.macs * bits) if bits else ZERO


def block_energy(machine: Accelerator, layer: LayerWorkload) -> Triple:
    """Energy of adding blocks in float32: for each block of a window an addition of exponents, and one of floats."""
    held = layer.arithmetic
    if not held.block:
        return ZERO
    blocks = layer.pixels * layer.out_channels * layer.kernel_h * layer.kernel_w * ceil(layer.in_channels // layer.groups / held.block)
    return total((scaled(machine.rates.float_add, blocks), scaled(machine.rates.add_bit, blocks * EXPONENT_BITS)))


def additional_elements(machine: Accelerator) -> int:
    """Narrow elements beside the array's own, one for every group of lanes."""
    return machine.rows * machine.columns // OUTLIER_LANES
