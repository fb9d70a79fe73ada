"""The contract of non-linear units: spec, table, range checks, saturation, what is known of the error."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np

from inexact import circuits
from inexact.core.errors import FormatError, SpecError
from inexact.metrics import function_profile
from inexact.units import Function, functions

SLACK = 1 + 1e-9
"""Room for the rounding of the exact function itself."""

MAX_ROW_BITS = 20
"""Argument bits of rows that are all tried."""


def check_function(unit: Function) -> None:
    """Everything a non-linear unit must hold, over all its arguments or, for one that works on rows, on sampled rows."""
    _require(isinstance(unit, Function), unit, "must derive from inexact.units.Function")
    again = dataclasses.replace(unit)  # type: ignore[type-var]
    _require(hash(unit) == hash(again) and unit == again, unit, "must be a value: equal and hashable")
    _require(functions.get(unit.spec) == unit, unit, f"spec {unit.spec!r} must describe the unit")
    _require(functions.get(unit.spec).spec == unit.spec, unit, "spec must be canonical")
    _check_table(unit) if unit.elementwise else _check_rows(unit)
    _check_calls(unit)
    gates = unit.gates()
    _require(gates is None or all(count > 0 for count in gates.counts().values()), unit, "gate counts must not be negative")
    golden, found = unit.golden(), function_profile(unit)
    if golden is not None:
        for name in ("max_ulp", "max_relative"):
            bound = getattr(golden, name)
            measured = getattr(found, name)
            _require(
                bound is None or measured <= bound * SLACK, unit, f"{name} must be at most {bound} ({golden.source}), but is {measured}"
            )


def _check_table(unit: Function) -> None:
    table = unit.table()
    _require(table.shape == (1 << unit.width,) and table.dtype == np.int32, unit, f"table must be int32 [2**width], not {table.shape}")
    _require(not table.flags.writeable, unit, "table must be read-only")
    _require(np.array_equal(unit(unit.arguments()), table), unit, "table must equal the results for all arguments")
    circuit = unit.circuit()
    if circuit is not None:
        wrong = unit.arguments()[circuits.evaluate(circuit, unit.arguments()) != table]
        _require(not wrong.size, unit, f"circuit must equal the table, but differs for the arguments {wrong[:3].tolist()}")
    _require(bool(unit.in_domain().any()), unit, "some argument must be one the function is meant for")
    found = hashlib.sha256(table.astype("<i4").tobytes()).hexdigest()
    _require(unit.sha256 == found, unit, "sha256 must be that of the table as little-endian int32")


def _check_rows(unit: Function) -> None:
    codes = unit.quantise(np.random.default_rng(3).normal(scale=3.0, size=(20, 9)))
    together = unit(codes)
    alone = np.stack([unit(row) for row in codes])
    _require(np.array_equal(together, alone), unit, "a row must not depend on other rows")
    circuit = unit.row_circuit(2) if 2 * unit.width <= MAX_ROW_BITS else None
    if circuit is not None:
        pairs = np.stack(np.meshgrid(unit.arguments(), unit.arguments(), indexing="ij"), axis=-1)
        word = circuits.evaluate(circuit, pairs[..., 0], pairs[..., 1])
        found = word[..., None] >> np.array([0, unit.out_width]) & ((1 << unit.out_width) - 1)
        _require(np.array_equal(found, unit(pairs)), unit, "circuit of a row must equal the unit for all rows of two arguments")
    try:
        unit.table()
    except SpecError:
        return
    _require(False, unit, "a unit that works on rows must refuse a table")


def _check_calls(unit: Function) -> None:
    low, high = unit.argument_range()
    edge = unit(np.array([[low, high, 0]]))
    least = -(1 << (unit.out_width - 1)) if unit.out_signed else 0
    most = (1 << (unit.out_width - int(unit.out_signed))) - 1
    _require(edge.dtype == np.int64 and edge.shape == (1, 3), unit, "results must be int64 in the arguments' shape")
    _require(least <= edge.min() and edge.max() <= most, unit, "results must saturate to the format")
    for wrong in (low - 1, high + 1):
        try:
            unit(np.array([wrong]))
        except FormatError:
            continue
        _require(False, unit, f"argument {wrong} must be refused")


def _require(holds: bool, what: Any, rule: str) -> None:
    if not holds:
        raise AssertionError(f"{getattr(what, 'spec', what)}: {rule}")
