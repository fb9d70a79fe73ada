"""What a spec names, in any family, and what of it goes to synthesis: its netlist, and that of the exact unit it is set against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from inexact.circuits import Circuit, Serial
from inexact.core.errors import SpecError
from inexact.core.registry import parse_call
from inexact.importers import SUFFIXES
from inexact.units import Adder, FloatMultiplier, Function, Multiplier, adders, float_multipliers, functions, multipliers
from inexact.units.exact import Exact
from inexact.units.exact_adder import ExactAdder
from inexact.units.float_mantissa import FloatMantissa

Unit = Multiplier | Adder | Function | FloatMultiplier


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """circuit: the unit's netlist; serial: with the registers of a unit of many cycles. exact: netlist of the exact unit of its kind, or
    None where there is none. form: what of the unit the netlist is; empty where it is simply the unit.
    """

    unit: Unit
    circuit: Circuit
    exact: Circuit | None
    serial: Serial | None = None
    form: str = ""

    @property
    def spec(self) -> str:
        """The unit's."""
        return self.unit.spec


def _called(spec: str) -> str:
    """The name a spec begins with. Raises SpecError for what is no spec, and says what to do with a file."""
    try:
        return getattr(parse_call(spec).func, "id", "")
    except SpecError as error:
        if Path(spec).suffix.lower() in SUFFIXES:
            raise SpecError(f"a unit must be given by its spec; {spec} is a file: `inexact unit import {spec}` tells the spec") from error
        raise


def resolve(spec: str) -> Multiplier | Adder:
    """The multiplier or adder a spec describes; unknown names are reported with the multipliers' names."""
    name = _called(spec)
    return adders.get(spec) if name in adders and name not in multipliers else multipliers.get(spec)


def is_function(spec: str) -> bool:
    """Whether a spec names a non-linear unit."""
    return _called(spec) in functions


def is_float(spec: str) -> bool:
    """Whether a spec names a small-float multiplier."""
    return _called(spec) in float_multipliers


def subject_of(spec: str, *, serial: bool = False) -> Subject:
    """The unit of a spec of any family. serial: its clocked circuit. SpecError when it has no netlist."""
    if is_function(spec):
        return _function(functions.get(spec))
    if is_float(spec):
        return _float(float_multipliers.get(spec))
    unit = resolve(spec)
    if serial:
        return _serial(unit)
    exact: Multiplier | Adder = ExactAdder(width=unit.width) if isinstance(unit, Adder) else Exact(width=unit.width, signed=unit.signed)
    return Subject(unit=unit, circuit=circuit_of(unit), exact=circuit_of(exact))


def circuit_of(unit: Multiplier | Adder) -> Circuit:
    """The unit's netlist. SpecError when it has none."""
    return _required(unit, unit.circuit())


def _serial(unit: Multiplier | Adder) -> Subject:
    clocked = unit.serial() if isinstance(unit, Multiplier) else None
    if clocked is None:
        raise SpecError(f"--level serial needs a unit of many cycles, as stochastic, but {unit.spec} gives a result a cycle; leave it away")
    exact = circuit_of(Exact(width=unit.width))
    return Subject(unit=unit, circuit=clocked.step, exact=exact, serial=clocked, form=f"{clocked.cycles} cycles a product")


def _function(unit: Function) -> Subject:
    if unit.elementwise:
        return Subject(unit=unit, circuit=_required(unit, unit.circuit()), exact=None)
    size = unit.longest_row
    return Subject(unit=unit, circuit=_required(unit, unit.row_circuit(size)), exact=None, form=f"a row of {size} arguments side by side")


def _float(unit: FloatMultiplier) -> Subject:
    exact = FloatMantissa(format=unit.format, multiplier="exact") if unit.layout.linear else None
    whole = unit.circuit()
    if whole is not None:
        return Subject(unit=unit, circuit=whole, exact=exact and exact.circuit(), form="the whole product as a fixed-point number")
    parts = _required(unit, unit.parts_circuit())
    return Subject(unit=unit, circuit=parts, exact=exact and exact.parts_circuit(), form="the product as significand, exponent and sign")


def _required(unit: Unit, circuit: Circuit | None) -> Circuit:
    if circuit is None:
        raise SpecError(f"{unit.spec} has no netlist: only circuits can be synthesised; import one with `inexact unit import FILE.v`")
    return circuit
