"""Approximate arithmetic units: each is one small file, found by name, identified by the SHA-256 of its table. Needs numpy only.

Importing it loads nothing: every name below is loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inexact.units._base import Adder, Golden, Multiplier, adders, multipliers
    from inexact.units._float import FloatMultiplier, float_multipliers
    from inexact.units._function import Function, FunctionGolden, functions
    from inexact.units._gates import GateCount
    from inexact.units.accumulator import Accumulator
    from inexact.units.netlist import from_circuit
    from inexact.units.table import from_table

_HOMES = {
    "Accumulator": "accumulator",
    "Adder": "_base",
    "FloatMultiplier": "_float",
    "Function": "_function",
    "FunctionGolden": "_function",
    "GateCount": "_gates",
    "Golden": "_base",
    "Multiplier": "_base",
    "adders": "_base",
    "float_multipliers": "_float",
    "from_circuit": "netlist",
    "from_table": "table",
    "functions": "_function",
    "multipliers": "_base",
}
"""Name -> module of this package that defines it."""

__all__ = [
    "Accumulator",
    "Adder",
    "FloatMultiplier",
    "Function",
    "FunctionGolden",
    "GateCount",
    "Golden",
    "Multiplier",
    "adders",
    "float_multipliers",
    "from_circuit",
    "from_table",
    "functions",
    "get",
    "multipliers",
    "of_any_system",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'inexact.units' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"inexact.units.{_HOMES[name]}"), name)
    return found


def of_any_system(spec: str) -> Multiplier | FloatMultiplier:
    """The multiplier of integers, or of another number system, that a spec describes; errors as for `get`."""
    from inexact.core.registry import parse_call
    from inexact.units._base import multipliers
    from inexact.units._float import float_multipliers

    name = getattr(parse_call(spec).func, "id", "")
    return float_multipliers.get(spec) if name in float_multipliers else multipliers.get(spec)


def get(spec: str | Multiplier) -> Multiplier:
    """The multiplier a spec such as `"trunc(cut=4)"` describes; a multiplier is returned as it is.

    Adders and non-linear units are families of their own: `units.adders.get("loa(low=4)")`, `units.functions.get("base2(function=exp)")`.
    Raises SpecError for malformed specs and values out of range, UnknownNameError for unknown names.
    """
    from inexact.units._base import multipliers

    return multipliers.get(spec)
