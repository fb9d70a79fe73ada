"""What a processing element costs with a given unit: from the synthesis of the unit and of the whole element, else from a declared model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from inexact import units
from inexact.circuits.cells import library
from inexact.circuits.synthesis import Setup, Silicon, Yosys, synthesise
from inexact.core.errors import HardwareError, InexactError, SynthesisError
from inexact.hardware._constants import Triple
from inexact.units import Adder, Multiplier, adders, catalogue
from inexact.units.catalogue import PE_ACCUMULATOR_BITS, Element
from inexact.units.cost import relative_cost

EXACT = "exact"
"""Spec of the exact 8x8 multiplier, the reference of every relative cost."""

SYNTHESIS = "synthesis"
MODEL = "gate-count model"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One block of a processing element at 45 nm and nominal voltage: energy in pJ per operation, area in um2, leakage in uW."""

    energy: float
    area: float
    leakage: float


@dataclass(frozen=True, kw_only=True)
class ElementCost:
    """A processing element around one multiplier, 45 nm.

    multiplier, adder (of `PE_ACCUMULATOR_BITS`, sign logic included): its blocks; the adder's energy holds the glitches that this
    multiplier sends through it. register_bit: energy of one flip-flop in a cycle, its area, its leakage. delay: clock to clock in ns.
    model: multiplier energy at the ends of what is uncertain about it. source: where the figures come from. verified: by synthesis.
    """

    multiplier: Part
    adder: Part
    register_bit: Part
    delay: float
    model: tuple[float, float]
    source: str
    verified: bool


@lru_cache(maxsize=65536)
def element_cost(spec: str, *, signs: bool = False) -> ElementCost:
    """The element of a multiplier; signs: operands in sign and magnitude, the product inverted by the second one's sign.

    In this order: the shipped catalogue; synthesis here, when the unit has a netlist and Yosys is installed; the gate-count model,
    relative to the exact multiplier of the same signedness, which says so and is not verified.
    """
    unit = units.get(spec)
    signs = signs and not unit.signed
    entry, element = catalogue.entries().get(unit.spec), catalogue.elements().get((unit.spec, signs))
    if entry is not None and element is not None:
        return _measured(
            element, Part(energy=entry.silicon["energy_pj"], area=entry.silicon["area_um2"], leakage=entry.silicon["leakage_nw"] / 1000),
            sum(unit.width) + signs, entry.energy_interval, f"{SYNTHESIS} of its own netlist, {_conditions()}",
        )  # fmt: skip
    return _synthesised(unit, signs) or _modelled(unit, signs)


def reference() -> ElementCost:
    """The element of the exact 8x8 multiplier of unsigned operands, against which published figures are set."""
    return element_cost(EXACT)


@lru_cache(maxsize=1024)
def adder_ratio(spec: str) -> Part:
    """Energy, area and leakage of an accumulator's adder over those of the exact one of its width. HardwareError when nothing is known."""
    if spec == EXACT:
        return Part(energy=1.0, area=1.0, leakage=1.0)
    unit = adders.get(spec)
    own, exact = _adder(unit), _adder(adders["exact_adder"](width=unit.width))  # type: ignore[call-arg]
    return Part(energy=own.energy / exact.energy, area=own.area / exact.area, leakage=own.leakage / exact.leakage)


def _adder(unit: Adder) -> Part:
    entry = catalogue.entries().get(unit.spec)
    if entry is not None:
        return Part(energy=entry.silicon["energy_pj"], area=entry.silicon["area_um2"], leakage=entry.silicon["leakage_nw"])
    circuit = unit.circuit()
    if circuit is None:
        raise HardwareError(f"{unit.spec} must have a netlist to be charged as an accumulator's adder; choose an adder with one")
    (found,) = synthesise([circuit])
    return Part(energy=found.energy.value, area=found.area.value, leakage=found.leakage.value)


@cache
def _conditions() -> str:
    held = catalogue.conditions()
    return f"{held['library']}, recipe {held['recipe']} by {held['tool']}, {held['operands']} operands"


def _measured(element: Element, multiplier: Part, operand_bits: int, interval: tuple[float, float], source: str) -> ElementCost:
    """Take an element apart: what is neither the multiplier nor a flip-flop is the adder."""
    flops = operand_bits + PE_ACCUMULATOR_BITS
    flop = flip_flop()
    return ElementCost(
        multiplier=multiplier,
        adder=Part(
            energy=max(0.0, element.energy_pj - element.register_energy_pj - multiplier.energy),
            area=max(0.0, element.area_um2 - multiplier.area - flops * flop.area),
            leakage=max(0.0, element.leakage_nw / 1000 - multiplier.leakage - flops * flop.leakage),
        ),
        register_bit=Part(energy=element.register_energy_pj / flops, area=flop.area, leakage=flop.leakage),
        delay=element.delay_ns,
        model=interval,
        source=source,
        verified=True,
    )


@cache
def flip_flop() -> Part:
    """Area and leakage of the library's flip-flop; its energy depends on the data and comes from an element's measurement."""
    cell = library().flip_flop()
    assert cell is not None
    return Part(energy=0.0, area=cell.area, leakage=cell.leakage / 1000)


@cache
def _can_synthesise() -> bool:
    try:
        with Yosys():
            return True
    except InexactError:
        return False


def _synthesised(unit: Multiplier, signs: bool) -> ElementCost | None:
    circuit = unit.circuit()
    if circuit is None or circuit.outputs[0].width > PE_ACCUMULATOR_BITS or not _can_synthesise():
        return None
    try:
        (alone,) = synthesise([circuit], Setup())
        (whole,) = synthesise([circuit], Setup(level="pe", accumulator_bits=PE_ACCUMULATOR_BITS, sign_magnitude=signs))
    except SynthesisError:
        return None
    assert whole.register_energy is not None
    element = Element(
        area_um2=whole.area.value,
        delay_ns=whole.delay.value,
        energy_pj=whole.energy.value,
        register_energy_pj=whole.register_energy.value,
        leakage_nw=whole.leakage.value,
    )
    part = Part(energy=alone.energy.value, area=alone.area.value, leakage=alone.leakage.value / 1000)
    source = f"{SYNTHESIS} of its own netlist, {_short(alone)}"
    return _measured(element, part, sum(unit.width) + signs, alone.energy.spread or (part.energy, part.energy), source)


def _short(record: Silicon) -> str:
    held = record.conditions
    return f"{held.library}, recipe {held.recipe} by {held.tool}, {held.operands} operands"


def _modelled(unit: Multiplier, signs: bool) -> ElementCost:
    exact = element_cost("exact(signed=true)" if unit.signed else EXACT, signs=signs)
    relative = relative_cost(unit)
    energy, area = relative.energy, relative.area.value
    low, high = energy.spread or (energy.value, energy.value)
    base = exact.multiplier
    return ElementCost(
        multiplier=Part(energy=base.energy * energy.value, area=base.area * area, leakage=base.leakage * area),
        adder=exact.adder,
        register_bit=exact.register_bit,
        delay=max(exact.delay, exact.delay * relative.delay.value) if relative.delay.value > 1 else exact.delay,
        model=(base.energy * low, base.energy * high),
        source=f"{MODEL} ({energy.source}) times the exact multiplier's {exact.source}",
        verified=False,
    )


def spread_of(value: float, low: float, high: float) -> Triple:
    """`value` with an interval that holds it."""
    return value, min(value, low), max(value, high)
