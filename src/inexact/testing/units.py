"""The contract of units: spec, table, product, range checks, golden values, cost."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import Any

import numpy as np

from inexact import circuits
from inexact.core.errors import FormatError
from inexact.core.registry import Family
from inexact.metrics import profile
from inexact.units import Adder, Multiplier, adders, multipliers
from inexact.units.cost import relative_cost


def check_multiplier(unit: Multiplier) -> None:
    """Everything a multiplier must hold, exhaustively over its operands."""
    _require(isinstance(unit, Multiplier), unit, "must derive from inexact.units.Multiplier")
    _check_unit(unit, multipliers)
    cost = relative_cost(unit)
    for name in ("energy", "area", "delay"):
        estimate = getattr(cost, name)
        _require(math.isfinite(estimate.value) and estimate.value >= 0, unit, f"{name} must be a number >= 0, not {estimate.value}")
        _require(bool(estimate.source) and bool(estimate.unit), unit, f"{name} must name its source and unit")


def check_adder(unit: Adder) -> None:
    """Everything an adder must hold, exhaustively over its operands."""
    _require(isinstance(unit, Adder), unit, "must derive from inexact.units.Adder")
    _check_unit(unit, adders)


def check_family(family: Family[Any]) -> None:
    """Every member is a frozen, documented, final dataclass with a reference, declared samples and distinct tables of equal width."""
    for name, cls in family.items():
        text = cls.__doc__ or ""
        _require(dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen, cls, "must be a frozen dataclass")  # type: ignore[attr-defined]
        _require("Reference:" in text or name in {"table", "netlist"}, cls, "must cite its source under 'Reference:'")
        _require("Error:" in text or name in {"table", "netlist", "exact", "exact_adder"}, cls, "must say how it errs under 'Error:'")
        _require(getattr(cls, "__final__", False), cls, "must be final: to tweak a unit, wrap it")
        _require(len(cls.samples()) > 0, cls, "must give samples")


def check_golden(unit: Multiplier | Adder) -> None:
    """The unit's golden values, if it has any, against the metrics measured over all pairs."""
    golden = unit.golden()
    if golden is None:
        return
    measured = profile(unit).metrics()
    for name, expected in golden.values().items():
        close = math.isclose(measured[name], expected, rel_tol=golden.relative_tolerance, abs_tol=1e-12)
        _require(close, unit, f"{name} must be {expected} ({golden.source}), but is {measured[name]}")


def _check_unit(unit: Any, family: Family[Any]) -> None:
    _require(
        hash(unit) == hash(dataclasses.replace(unit)) and unit == dataclasses.replace(unit), unit, "must be a value: equal and hashable"
    )
    _require(family.get(unit.spec) == unit, unit, f"spec {unit.spec!r} must describe the unit")
    _require(family.get(unit.spec).spec == unit.spec, unit, "spec must be canonical")
    _check_table(unit)
    _check_calls(unit)
    _check_circuit(unit)
    gates = unit.gates()
    _require(gates is None or all(count > 0 for count in gates.counts().values()), unit, "gate counts must not be negative")
    check_golden(unit)


def _check_table(unit: Any) -> None:
    table = unit.table()
    shape = (1 << unit.width[0], 1 << unit.width[1])
    _require(table.shape == shape and table.dtype == np.int32, unit, f"table must be int32 {shape}, not {table.dtype} {table.shape}")
    _require(not table.flags.writeable, unit, "table must be read-only")
    _require(table is unit.table(), unit, "table must be cached")
    grid = np.meshgrid(unit.operand_values(0), unit.operand_values(1), indexing="ij")
    _require(np.array_equal(unit(*grid), table), unit, "table must equal the unit's results for all operand pairs")
    _require(np.array_equal(unit(*grid), unit(*grid)), unit, "results must not change from call to call")
    found = hashlib.sha256(table.astype("<i4").tobytes()).hexdigest()
    _require(unit.sha256 == found, unit, "sha256 must be that of the table as little-endian int32")


def _check_circuit(unit: Any) -> None:
    circuit = unit.circuit()
    if circuit is None:
        return
    found, table = circuits.table(circuit), unit.table()
    wrong = found != table
    if wrong.any():
        a, b = (int(index[0]) for index in np.nonzero(wrong))
        _require(False, unit, f"circuit must equal the table, but gives {found[a, b]}, not {table[a, b]}, for the patterns {a}, {b}")
    widths = [bus.width for bus in circuit.inputs]
    _require(
        widths == list(unit.width) and all(bus.signed == unit.signed for bus in circuit.inputs),
        unit,
        "circuit must have the unit's operands",
    )


def _check_calls(unit: Any) -> None:
    generator = np.random.default_rng(0)
    a, b = (generator.choice(unit.operand_values(side), size=64) for side in (0, 1))
    together = unit(a, b)
    one_by_one = np.array([int(unit(int(x), int(y))) for x, y in zip(a, b, strict=True)])
    _require(together.dtype == np.int64 and together.shape == a.shape, unit, "results must be int64 in the operands' shape")
    _require(np.array_equal(together, one_by_one), unit, "a result must not depend on its neighbours")
    _require(unit(a[:, None], b[None, :]).shape == (64, 64), unit, "operands must broadcast")
    for side in (0, 1):
        for wrong in (unit.operand_range(side)[0] - 1, unit.operand_range(side)[1] + 1):
            operands = [0, 0]
            operands[side] = wrong
            try:
                unit(*operands)
            except FormatError:
                continue
            _require(False, unit, f"operand {'ab'[side]} = {wrong} must be refused")


def _require(holds: bool, what: Any, rule: str) -> None:
    if not holds:
        raise AssertionError(f"{getattr(what, 'spec', what)}: {rule}")
