"""The contract of small-float multipliers: spec, table, special values, range checks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from inexact import circuits
from inexact.core.errors import FormatError, SpecError
from inexact.units import FloatMultiplier, float_multipliers
from inexact.units._float import MAX_TABLE_WIDTH


def check_float_multiplier(unit: FloatMultiplier) -> None:
    """Everything a small-float multiplier must hold, over all pairs of codes for formats up to 8 bits, else over drawn ones."""
    _require(isinstance(unit, FloatMultiplier), unit, "must derive from inexact.units.FloatMultiplier")
    again = dataclasses.replace(unit)  # type: ignore[type-var]
    _require(hash(unit) == hash(again) and unit == again, unit, "must be a value: equal and hashable")
    _require(float_multipliers.get(unit.spec) == unit, unit, f"spec {unit.spec!r} must describe the unit")
    _require(float_multipliers.get(unit.spec).spec == unit.spec, unit, "spec must be canonical")
    width = unit.layout.width
    codes = np.arange(1 << width) if width <= 8 else np.random.default_rng(0).integers(0, 1 << width, 300)
    a, b = codes[:, None], codes[None, :]
    found, exact = unit(a, b), unit.exact(a, b)
    _require(found.dtype == np.float64 and found.shape == (len(codes),) * 2, unit, "products must be float64 in the operands' shape")
    _require(np.array_equal(np.isnan(found), np.isnan(exact)), unit, "a product must be NaN exactly where the exact one is")
    _require(np.array_equal(np.isinf(found), np.isinf(exact)), unit, "a product must be infinite exactly where the exact one is")
    _require(np.array_equal(found == 0, exact == 0), unit, "a product must be zero exactly where the exact one is")
    kept = ~np.isnan(exact) & (exact != 0)
    _require(np.array_equal(found[kept] < 0, exact[kept] < 0), unit, "a product must have the exact one's sign")
    _check_table(unit, found, width)
    _check_circuit(unit)
    for wrong in (-1, 1 << width):
        try:
            unit(np.array([wrong]), np.array([0]))
        except FormatError:
            continue
        _require(False, unit, f"code {wrong} must be refused")


def _check_circuit(unit: FloatMultiplier) -> None:
    numbers = unit.layout.patterns(np.arange(1 - len(unit.layout.sizes), len(unit.layout.sizes)))
    if unit.layout.width <= MAX_TABLE_WIDTH:
        a, b = numbers[:, None], numbers[None, :]
    else:
        a, b = np.random.default_rng(1).choice(numbers, (2, 20000))
    expected, circuit, parts = unit(a, b), unit.circuit(), unit.parts_circuit()
    if circuit is not None:
        found = circuits.evaluate(circuit, a, b).astype(np.float64) * unit.circuit_step
        _require(np.array_equal(found, expected), unit, "circuit must equal the unit for all pairs of numbers")
    if parts is not None:
        word, (s, e, _) = circuits.evaluate(parts, a, b).view(np.uint64), (np.uint64(bus.width) for bus in parts.outputs)
        one = np.uint64(1)
        size, exponent, negative = word & ((one << s) - one), word >> s & ((one << e) - one), word >> (s + e)
        signed = size.astype(np.float64) * (1.0 - 2.0 * negative)
        found = np.ldexp(signed, exponent.astype(np.int32)) * unit.parts_step
        _require(np.array_equal(found, expected), unit, "circuit in parts must equal the unit for all pairs of numbers")


def _check_table(unit: FloatMultiplier, found: Any, width: int) -> None:
    if width <= 8:
        table = unit.values()
        _require(not table.flags.writeable and table is unit.values(), unit, "table must be read-only and cached")
        _require(np.array_equal(table, found, equal_nan=True), unit, "table must equal the unit's results for all pairs of codes")
        return
    try:
        unit.values()
    except SpecError:
        return
    _require(False, unit, "a format of more than 8 bits must refuse a table")


def _require(holds: bool, what: Any, rule: str) -> None:
    if not holds:
        raise AssertionError(f"{getattr(what, 'spec', what)}: {rule}")
