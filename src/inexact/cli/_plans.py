"""The plan a command is given: a TOML file, or the spec of a unit for every layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inexact.core.errors import PlanError, SpecError, UnknownNameError

if TYPE_CHECKING:
    from inexact.nn import Plan


def plan_of(given: str) -> Plan:
    """The plan of a file, or of a unit's spec. Raises PlanError for what is neither, and what files and specs raise."""
    from inexact import nn
    from inexact.importers import SUFFIXES

    if given.endswith(".toml") or Path(given).is_file():
        try:
            return nn.Plan.load(given)
        except PlanError as error:
            if Path(given).suffix.lower() not in SUFFIXES:
                raise
            advice = f"if it holds a unit, `inexact unit import {given}` makes a spec of it, which serves as a plan"
            raise PlanError(f"{given} is no plan: {error}; {advice}") from error
    try:
        return unit_plan(given)
    except (SpecError, UnknownNameError) as error:
        if "(" in given:
            raise
        raise PlanError(f"a plan must be a TOML file or the spec of a multiplier, and {given!r} is no file: {error}") from error


def unit_plan(spec: str) -> Plan:
    """One unit in every layer, under the coding its operands have. Raises SpecError or UnknownNameError as units do."""
    from inexact import nn
    from inexact.units import multipliers

    unit = multipliers.get(spec)
    return nn.Plan(multiplier=unit.spec, coding="signed" if unit.signed else "unsigned")
