"""Approximate arithmetic units: each is one small file, found by name, identified by the SHA-256 of its table. Needs numpy only."""

from __future__ import annotations

from inexact.units._base import Adder, Golden, Multiplier, adders, multipliers
from inexact.units._float import FloatMultiplier, float_multipliers
from inexact.units._function import Function, FunctionGolden, functions
from inexact.units._gates import GateCount
from inexact.units.accumulator import Accumulator
from inexact.units.netlist import from_circuit
from inexact.units.table import from_table

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
]


def get(spec: str | Multiplier) -> Multiplier:
    """The multiplier a spec such as `"trunc(cut=4)"` describes; a multiplier is returned as it is.

    Adders and non-linear units are families of their own: `units.adders.get("loa(low=4)")`, `units.functions.get("base2(function=exp)")`.
    Raises SpecError for malformed specs and values out of range, UnknownNameError for unknown names.
    """
    return multipliers.get(spec)
