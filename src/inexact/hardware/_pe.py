"""What a processing element costs with a given unit: by synthesis of the unit and of the whole element, else by a declared model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

from inexact import units
from inexact.circuits import Circuit
from inexact.circuits.cells import library
from inexact.circuits.synthesis import Operands, Setup, Yosys, synthesise
from inexact.core.errors import HardwareError, InexactError, SynthesisError
from inexact.hardware._constants import Triple
from inexact.units import Adder, FloatMultiplier, Multiplier, adders, catalogue
from inexact.units.catalogue import PE_ACCUMULATOR_BITS, Activity
from inexact.units.cost import relative_cost

EXACT = "exact"
"""Spec of the exact 8x8 multiplier, the reference of every relative cost."""

GUARD_BITS = 12
"""Above the products of numbers that are not integers, for exact sums of up to 4096: an element is measured with an adder that wide."""

WIDEST_PRODUCT = 52
"""Bits of such a product: adders of more than 64 are not measured."""

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

    multiplier, adder (of `accumulator_bits`, sign logic included): its blocks; the adder's energy holds the glitches that this
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
    accumulator_bits: int = PE_ACCUMULATOR_BITS


MEASURED = "operands of each layer, measured"

NETWORK = "network"
"""Regime of activity that accelerators are charged under by default, see `catalogue.REGIMES`."""


Pair = tuple[Operands, Operands]
"""Operands of a multiplier alone, and of its element."""

Histograms = tuple[tuple[float, ...], tuple[float, ...]]
"""How often each code of a and b occurs, by bit pattern; b holds magnitudes in sign-magnitude coding."""


@lru_cache(maxsize=65536)
def element_cost(spec: str, *, signs: bool = False, regime: str = NETWORK, histograms: Histograms | None = None) -> ElementCost:
    """The element of a multiplier; signs: operands in sign and magnitude, the product inverted by the second one's sign.

    A unit whose weights are stored in a code of their own is charged for the netlist that takes the code.
    regime: which operands follow each other. histograms: of these operands, measured here (HardwareError where that cannot be).
    Without them, in this order: the shipped catalogue; synthesis here, when the unit has a netlist and Yosys
    is installed; the gate-count model, relative to the exact multiplier of the same signedness, which says so and is not verified.
    """
    unit = units.of_any_system(spec)
    signs = signs and not unit.signed
    if histograms is not None:
        measured = _synthesised(unit, signs, regime, histograms)
        if measured is None:
            raise HardwareError(
                f"energy of {unit.spec} under the operands of a layer must be measured on its netlist with Yosys: "
                "pip install 'inexact[synth]', take a unit with a netlist, or leave measured operands away"
            )
        return measured
    entry, element = catalogue.entries().get(unit.spec), catalogue.elements().get((unit.spec, signs))
    if entry is not None and element is not None:
        source = f"{SYNTHESIS} of its own netlist, {conditions()}, {operands_named(regime)}"
        return taken_apart(
            element.activity[regime],
            whole=Part(energy=0.0, area=element.area_um2, leakage=element.leakage_nw / 1000),
            unit=Part(energy=0.0, area=entry.silicon["area_um2"], leakage=entry.silicon["leakage_nw"] / 1000),
            delay=element.delay_ns,
            flops=sum(unit.width) + signs + PE_ACCUMULATOR_BITS,
            source=source,
        )
    found = _synthesised(unit, signs, regime)
    if found is not None:
        return found
    if isinstance(unit, FloatMultiplier):
        raise HardwareError(
            f"the element of {unit.spec} must be synthesised here: pip install 'inexact[synth]', or take a number system whose exact "
            f"products have at most {WIDEST_PRODUCT} bits"
        )
    return _modelled(unit, signs, regime)


def reference() -> ElementCost:
    """The element of the exact 8x8 multiplier of unsigned, uniform operands, against which published figures are set."""
    return element_cost(EXACT, regime="uniform")


def operands_named(regime: str) -> str:
    """The operands of a regime in words."""
    name, held = catalogue.REGIMES[regime]
    kind = "uniform operands" if name == "uniform" else "operands of trained networks"
    return kind + ("" if held is None else f", {'activation' if held == 0 else 'weight'} held")


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
def conditions() -> str:
    held = catalogue.conditions()
    return f"{held['library']}, recipe {held['recipe']} by {held['tool']}"


def taken_apart(
    activity: Activity, *, whole: Part, unit: Part, delay: float, flops: int, source: str, accumulator: int = PE_ACCUMULATOR_BITS
) -> ElementCost:
    """What of an element is neither the multiplier nor a flip-flop is the adder."""
    flop = flip_flop()
    energy = activity.multiplier_energy_pj
    return ElementCost(
        multiplier=Part(energy=energy, area=unit.area, leakage=unit.leakage),
        adder=Part(
            energy=max(0.0, activity.energy_pj - activity.register_energy_pj - energy),
            area=max(0.0, whole.area - unit.area - flops * flop.area),
            leakage=max(0.0, whole.leakage - unit.leakage - flops * flop.leakage),
        ),
        register_bit=Part(energy=activity.register_energy_pj / flops, area=flop.area, leakage=flop.leakage),
        delay=delay,
        model=(energy, energy),
        source=source,
        verified=True,
        accumulator_bits=accumulator,
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


def _synthesised(unit: Multiplier | FloatMultiplier, signs: bool, regime: str, histograms: Histograms | None = None) -> ElementCost | None:
    how = operands_named(regime) if histograms is None else MEASURED
    stored = unit.stored_circuit() if isinstance(unit, Multiplier) else None  # what a weight's code passes before is not the element's
    return synthesised(unit, stored or unit.circuit(), lambda: operands_of(unit, signs, regime, histograms), signs=signs, how=how)


def synthesised(
    unit: Multiplier | FloatMultiplier, circuit: Circuit | None, operands: Callable[[], Pair], *, signs: bool, how: str
) -> ElementCost | None:
    """The element around a unit's circuit under operands of the circuit alone and of the element; None where that cannot be made here.

    how: which operands, for the source.
    """
    if circuit is None or not _can_synthesise():
        return None
    width = circuit.outputs[0].width
    accumulator = width + GUARD_BITS if isinstance(unit, FloatMultiplier) else PE_ACCUMULATOR_BITS
    if not width <= accumulator <= WIDEST_PRODUCT + GUARD_BITS:
        return None
    plain, with_sign = operands()
    try:
        (alone,) = synthesise([circuit], Setup(operands=plain))
        (whole,) = synthesise([circuit], Setup(level="pe", accumulator_bits=accumulator, sign_magnitude=signs, operands=with_sign))
    except SynthesisError:
        return None
    assert whole.register_energy is not None
    held = alone.conditions
    return taken_apart(
        Activity(
            energy_pj=whole.energy.value,
            register_energy_pj=whole.register_energy.value,
            multiplier_energy_pj=alone.energy.value,
        ),
        whole=Part(energy=0.0, area=whole.area.value, leakage=whole.leakage.value / 1000),
        unit=Part(energy=0.0, area=alone.area.value, leakage=alone.leakage.value / 1000),
        delay=whole.delay.value,
        flops=circuit.input_bits + signs + accumulator,
        source=f"{SYNTHESIS} of its own netlist, {held.library}, recipe {held.recipe} by {held.tool}, {how}",
        accumulator=accumulator,
    )


def operands_of(
    unit: Multiplier | FloatMultiplier, signs: bool, regime: str, histograms: Histograms | None = None, *, b_bits: int | None = None
) -> tuple[Operands, Operands]:
    """Operands of a multiplier alone, and of its element, under a regime; signs are equally often negative.

    b_bits: of the second operand where it is not the unit's own.
    """
    name, held = catalogue.REGIMES[regime]
    if histograms is None and name == "uniform":
        return (Operands(held=held),) * 2
    coding = "sign_magnitude" if signs else "signed" if unit.signed else "unsigned"
    if isinstance(unit, FloatMultiplier):
        coding = unit.format
    a, b = histograms or catalogue.network_operands(coding, unit.width)
    b = b[: 1 << (b_bits or unit.width[1])]  # magnitudes are counted in as many bins as the coded weight has
    if isinstance(unit, Multiplier) and unit.stored_values():
        b = stored_shares(unit, b)
    name = name if histograms is None else "layer"
    plain = Operands(name=name, weights=(a, b), held=held)
    if not signs:
        return plain, plain
    return plain, Operands(name=name, weights=(a, tuple(share / 2 for share in (*b, *b))), held=held)


def stored_shares(unit: Multiplier, shares: tuple[float, ...]) -> tuple[float, ...]:
    """How often each code is stored when operands b, by bit pattern, have these shares: each is stored as the code it multiplies like."""
    values = unit.stored_values()
    code_of = {value: code for code, value in enumerate(values)}
    found = [0.0] * len(values)
    for value, share in zip(unit(1, unit.operand_values(1)).tolist(), shares, strict=True):
        found[code_of[value]] += share
    return tuple(found)


def _modelled(unit: Multiplier, signs: bool, regime: str) -> ElementCost:
    exact = element_cost("exact(signed=true)" if unit.signed else EXACT, signs=signs, regime=regime)
    relative = relative_cost(unit)
    energy, area = relative.energy, relative.area.value
    low, high = energy.spread or (energy.value, energy.value)
    base = exact.multiplier
    return ElementCost(
        multiplier=Part(energy=base.energy * energy.value, area=base.area * area, leakage=base.leakage * area),
        adder=exact.adder,
        register_bit=exact.register_bit,
        delay=exact.delay * max(1.0, relative.delay.value),
        model=(base.energy * low, base.energy * high),
        source=f"{MODEL} ({energy.source}) times the exact multiplier's {exact.source}",
        verified=False,
    )


def spread_of(value: float, low: float, high: float) -> Triple:
    """`value` with an interval that holds it."""
    return value, min(value, low), max(value, high)
