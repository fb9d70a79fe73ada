"""Every member of the unit families holds the contract, for every one of its samples."""

from __future__ import annotations

import pytest

from inexact.testing import check_adder, check_family, check_float_multiplier, check_function, check_multiplier
from inexact.units import Adder, FloatMultiplier, Function, Multiplier, adders, float_multipliers, functions, multipliers

MULTIPLIERS = [unit for _, cls in multipliers.items() for unit in cls.samples()]
ADDERS = [unit for _, cls in adders.items() for unit in cls.samples()]
FLOATS = [unit for _, cls in float_multipliers.items() for unit in cls.samples()]
FUNCTIONS = [unit for _, cls in functions.items() for unit in cls.samples()]


@pytest.mark.parametrize("unit", MULTIPLIERS, ids=lambda unit: unit.spec)
def test_multiplier(unit: Multiplier) -> None:
    check_multiplier(unit)


@pytest.mark.parametrize("unit", ADDERS, ids=lambda unit: unit.spec)
def test_adder(unit: Adder) -> None:
    check_adder(unit)


@pytest.mark.parametrize("unit", FLOATS, ids=lambda unit: unit.spec)
def test_float_multiplier(unit: FloatMultiplier) -> None:
    check_float_multiplier(unit)


@pytest.mark.parametrize("unit", FUNCTIONS, ids=lambda unit: unit.spec)
def test_function(unit: Function) -> None:
    check_function(unit)


def test_families_are_documented() -> None:
    check_family(multipliers)
    check_family(adders)
    check_family(functions)
    check_family(float_multipliers)


@pytest.mark.parametrize("name", [name for name in multipliers if name != "evolved"])  # those ship for 8 bits only
def test_default_or_sample_widths_cover_unequal_and_narrow(name: str) -> None:
    widths = {unit.width for unit in multipliers[name].samples()}
    assert {(8, 8), (8, 4), (4, 4)} <= widths
