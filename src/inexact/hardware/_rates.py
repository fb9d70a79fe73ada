"""Energy of each elementary event of an accelerator, as (value, low, high) in pJ, from its technology table, node and voltage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from inexact.core.errors import HardwareError
from inexact.hardware._constants import Sram, Technology, Triple, product, scaled, technology
from inexact.hardware._pe import EXACT, element_cost, reference, spread_of
from inexact.units.catalogue import PE_ACCUMULATOR_BITS

COLUMN_TABLE_KIB = 0.5
"""Smallest memory of the cited table: holds the 256 16-bit entries a correction column looks up."""

HOME = "45nm"
"""Node of the unit library: its figures reach other nodes by the ratio of Aladdin's tables."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """From the unit library's figures (45 nm, nominal voltage) to those of a machine: factors of energy, area, leakage and delay.

    Energies carry a spread: low and high reach the other published figures of the same exact block.
    """

    multiplier: Triple
    adder: Triple
    register: Triple
    multiplier_area: float
    adder_area: float
    register_area: float
    leakage: float
    delay: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Energies in pJ: *_bit = per bit of width; the rest per event. scale: of processing elements."""

    scale: Scale
    multiply: Triple
    add_bit: Triple
    register_bit: Triple
    xor_bit: Triple
    mux_bit: Triple
    and_bit: Triple
    requantise: Triple
    float_multiply: Triple
    float_add: Triple
    cache_bit: Triple
    dram_bit: Triple


def rates(node: Technology, voltage: float | None = None) -> Rates:
    """The elementary energies of a node, processing elements at `voltage` (default: nominal). Single gates cost a share of a full adder."""
    scale = _scale(node, voltage)
    exact = element_cost(EXACT)
    add = scaled(scale.adder, exact.adder.energy / PE_ACCUMULATOR_BITS)
    return Rates(
        scale=scale,
        multiply=scaled(scale.multiplier, exact.multiplier.energy),
        add_bit=add,
        register_bit=scaled(scale.register, exact.register_bit.energy),
        xor_bit=product(add, node["xor_ratio"].triple),
        mux_bit=product(add, node["mux_ratio"].triple),
        and_bit=product(add, node["and_ratio"].triple),
        requantise=node["requantise_energy"].triple,
        float_multiply=node["float_multiply_energy"].triple,
        float_add=node["float_add_energy"].triple,
        cache_bit=scaled(node["cache_energy"].triple, 1 / 64),
        dram_bit=node["dram_energy"].triple,
    )


def _scale(node: Technology, voltage: float | None) -> Scale:
    home = technology(HOME)
    exact = reference()
    nominal = node["nominal_voltage"].value
    volts = nominal if voltage is None else voltage
    switching = (volts / nominal) ** 2

    def energy(name: str, own: float) -> Triple:
        factor = node[name].value / home[name].value
        value, low, high = spread_of(own * factor, *node[name].triple[1:])
        return tuple(end * switching / own for end in (value, low, high))  # type: ignore[return-value]

    def ratio(name: str) -> float:
        return node[name].value / home[name].value

    return Scale(
        multiplier=energy("multiplier_energy", exact.multiplier.energy),
        adder=energy("adder_energy", exact.adder.energy),
        register=energy("register_energy", exact.register_bit.energy * 32),
        multiplier_area=ratio("multiplier_area"),
        adder_area=ratio("adder_area"),
        register_area=ratio("register_area"),
        leakage=ratio("multiplier_leakage") * volts / nominal,
        delay=ratio("multiplier_delay") * slowdown(node, volts),
    )


@lru_cache(maxsize=4096)
def _slowdown(volts: float, nominal: float, threshold: float, exponent: float, drift: float) -> float:
    return float((volts / (volts - threshold - drift) ** exponent) / (nominal / (nominal - threshold) ** exponent))


def slowdown(node: Technology, volts: float, drift: float = 0.0) -> float:
    """Gate delay at a voltage over that at the nominal one. drift: V by which the threshold has risen since. Raises HardwareError near or
    below the threshold voltage.

    Reference: Sakurai, Newton, Alpha-power law MOSFET model, IEEE JSSC 25(2), 1990, doi:10.1109/4.52187
    """
    threshold = node["threshold_voltage"].value
    if not volts > threshold + drift + 0.1:
        risen = f", risen by {drift:g} V," if drift else ""
        raise HardwareError(
            f"a voltage must be above {threshold + drift + 0.1:g} V (threshold of {threshold:g} V{risen} and 0.1 V), not {volts:g}"
        )
    return _slowdown(volts, node["nominal_voltage"].value, threshold, node["delay_exponent"].value, drift)


def voltage_for(node: Technology, delay_factor: float) -> float:
    """The lowest voltage at which gates are at most `delay_factor` times as slow as at the nominal one; nominal for factors below 1."""
    low, high = node["threshold_voltage"].value + 0.1001, node["nominal_voltage"].value
    if delay_factor <= 1:
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if slowdown(node, middle) <= delay_factor else (middle, high)
    return high


def column_table(node: Technology, a_bits: int) -> Sram:
    """The memory that holds f(a) in one PE of a correction column: 2^a_bits entries of 16 bits."""
    return node.memory(max(COLUMN_TABLE_KIB, 2**a_bits * 16 / 8 / 1024))
