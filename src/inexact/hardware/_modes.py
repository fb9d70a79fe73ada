"""What a processing element around a reconfigurable multiplier costs whose mode comes with each weight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any, final

from inexact.circuits.synthesis import Operands
from inexact.core.errors import HardwareError
from inexact.hardware._constants import read_toml
from inexact.hardware._pe import (
    EXACT,
    MEASURED,
    NETWORK,
    SYNTHESIS,
    ElementCost,
    Histograms,
    Part,
    element_cost,
    operands_named,
    operands_of,
    synthesised,
    taken_apart,
)
from inexact.units import Multiplier, multipliers
from inexact.units.catalogue import PE_ACCUMULATOR_BITS, Activity
from inexact.units.cost import relative_cost

Shares = tuple[tuple[str, float], ...]
"""(spec, share of the products) of each mode in use."""


@lru_cache(maxsize=65536)
def switched_cost(shares: Shares, *, signs: bool = False, regime: str = NETWORK, histograms: Histograms | None = None) -> ElementCost:
    """The element of a circuit that holds all modes, with the energy of the modes in use by their shares of the products.

    The mode is part of the weight's register and a further input of the circuit. Energy of a mode: of that one netlist with the mode's
    code set, operands as the regime has them in every mode; a change of mode between two products is not in it. histograms: of a layer's
    operands, b by mode and pattern [modes * 2**width]; then the netlist is measured under them here, changes of modes included.
    In this order: the shipped table; synthesis here; the mode's own netlist and switches by the gate-count model, not verified.
    """
    unit = multipliers.get(shares[0][0])
    if histograms is not None:
        found = _measured(unit, signs, regime, histograms)
        if found is None:
            raise HardwareError(
                f"energy of the modes of {unit.family_name} under the operands of a layer must be measured on its netlist with Yosys: "
                "pip install 'inexact[synth]', or leave measured operands away"
            )
        return found
    return _mixed([(_one_mode(spec, signs, regime), share) for spec, share in shares])


def _mixed(parts: list[tuple[ElementCost, float]]) -> ElementCost:
    """One circuit: area, leakage and delay of the first, energies by shares."""

    def mean(values: list[float]) -> float:
        return sum(value * share for value, (_, share) in zip(values, parts, strict=True))

    first = parts[0][0]
    costs = [cost for cost, _ in parts]
    return replace(
        first,
        multiplier=replace(first.multiplier, energy=mean([cost.multiplier.energy for cost in costs])),
        adder=replace(first.adder, energy=mean([cost.adder.energy for cost in costs])),
        register_bit=replace(first.register_bit, energy=mean([cost.register_bit.energy for cost in costs])),
        model=(mean([cost.model[0] for cost in costs]), mean([cost.model[1] for cost in costs])),
        verified=all(cost.verified for cost in costs),
    )


@lru_cache(maxsize=1024)
def _one_mode(spec: str, signs: bool, regime: str) -> ElementCost:
    unit = multipliers.get(spec)
    held = shipped().get((circuit_name(unit), signs))
    if held is not None:
        return taken_apart(
            Activity(**held.activity[code_of(unit), regime]),
            whole=Part(energy=0.0, area=held.area_um2, leakage=held.leakage_uw),
            unit=Part(energy=0.0, area=held.unit_area_um2, leakage=held.unit_leakage_uw),
            delay=held.delay_ns,
            flops=sum(unit.width) + unit.mode_bits + signs + PE_ACCUMULATOR_BITS,
            source=f"{SYNTHESIS} of the netlist of all modes with the mode set, {held.source}, {operands_named(regime)}",
        )
    how = f"the netlist of all modes with the mode set, {operands_named(regime)}"
    found = synthesised(unit, unit.switched_circuit(), lambda: mode_operands(unit, signs, regime), signs=signs, how=how)
    return found or _modelled(unit, signs, regime)


def _measured(unit: Multiplier, signs: bool, regime: str, histograms: Histograms) -> ElementCost | None:
    bits = unit.width[1] + unit.mode_bits
    operands = partial(operands_of, unit, signs, regime, histograms, b_bits=bits)
    return synthesised(unit, unit.switched_circuit(), operands, signs=signs, how=MEASURED)


def mode_operands(unit: Multiplier, signs: bool, regime: str) -> tuple[Operands, Operands]:
    """Operands of the netlist of all modes, and of its element, in the mode of a unit: those of the regime, behind the mode's code."""
    plain, with_sign = operands_of(unit, signs, regime)
    size, code, codes = 1 << unit.width[1], code_of(unit), 1 << unit.mode_bits

    def placed(given: Operands, halves: int) -> Operands:
        a, b = given.weights or (None, None)
        shares = (1.0,) * (size * halves) if b is None else b
        blocks = [shares[half * size : (half + 1) * size] for half in range(halves)]
        empty = (0.0,) * size
        spread = [block if place == code else empty for block in blocks for place in range(codes)]
        return replace(given, name=f"{given.name}, mode {code}", weights=(a, tuple(value for part in spread for value in part)))

    return placed(plain, 1), placed(with_sign, 1 + signs)


def _modelled(unit: Multiplier, signs: bool, regime: str) -> ElementCost:
    """The mode's own element, its multiplier with the whole circuit's area and with switches that take energy like its other gates."""
    own, exact = element_cost(unit.spec, signs=signs, regime=regime), element_cost(EXACT, signs=signs, regime=regime)
    area = relative_cost(unit).area.value
    more = max(0.0, area - 1) * exact.multiplier.energy
    whole = Part(energy=own.multiplier.energy + more, area=exact.multiplier.area * area, leakage=exact.multiplier.leakage * area)
    return replace(
        own,
        multiplier=whole,
        model=(own.model[0], own.model[1] + 2 * more),
        source=f"{own.source}; switches of modes by the gate-count model",
        verified=False,
    )


def circuit_name(unit: Multiplier) -> str:
    """The spec of a circuit's first mode, which names the whole."""
    return next(mode.spec for mode in unit.modes().values())


def code_of(unit: Multiplier) -> int:
    """The control code of a unit's mode."""
    return [mode.spec for mode in unit.modes().values()].index(unit.spec)


@final
@dataclass(frozen=True, kw_only=True)
class Shipped:
    """Figures of one element. activity: by (code of the mode, regime), the fields of `catalogue.Activity`."""

    area_um2: float
    leakage_uw: float
    delay_ns: float
    unit_area_um2: float
    unit_leakage_uw: float
    activity: dict[tuple[int, str], dict[str, float]]
    source: str


@cache
def shipped() -> dict[tuple[str, bool], Shipped]:
    """By name of the circuit and whether signs stand beside its weights; made by scripts/measure_modes."""
    found = read_toml(Path(str(resources.files("inexact.hardware"))) / "modes.toml", "table")
    return {(entry["circuit"], bool(entry["signs"])): _shipped(entry, found["source"]) for entry in found["element"]}


def _shipped(entry: dict[str, Any], source: str) -> Shipped:
    names = ("energy_pj", "register_energy_pj", "multiplier_energy_pj")
    activity = {
        (int(code), regime): dict(zip(names, figures, strict=True))
        for code, regimes in entry["activity"].items()
        for regime, figures in regimes.items()
    }
    figures = ("area_um2", "leakage_uw", "delay_ns", "unit_area_um2", "unit_leakage_uw")
    return Shipped(**{name: float(entry[name]) for name in figures}, activity=activity, source=source)
