"""The priced catalogue and the evolved multipliers: what ships is what it says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from inexact import metrics, units
from inexact.circuits import equivalent
from inexact.core.errors import SpecError
from inexact.units import Multiplier, catalogue
from inexact.units.evolved import Evolved


def test_size_and_widths() -> None:
    found = catalogue.entries().values()
    kinds = Counter(entry.kind for entry in found)
    assert kinds["multiplier"] >= 600
    assert kinds["adder"] >= 100
    widths = {(entry.width, entry.signed) for entry in found if entry.kind == "multiplier"}
    assert {
        ((8, 8), False),
        ((8, 8), True),
        ((4, 4), False),
        ((8, 4), False),
        ((7, 7), False),
        ((12, 12), False),
        ((16, 16), False),
    } <= widths


@pytest.mark.slow
def test_the_plan_is_what_was_built() -> None:
    assert [unit.spec for unit in catalogue.planned()] == list(catalogue.entries())


def test_functions_and_multipliers_of_floats_have_silicon() -> None:
    found = catalogue.others()
    samples = [unit for family in (units.functions, units.float_multipliers) for _, cls in family.items() for unit in cls.samples()]
    assert sorted(found) == sorted(unit.spec for unit in samples)
    for spec, entry in found.items():
        low, high = entry.energy_interval
        assert low <= entry.silicon["energy_pj"] <= high, spec
    row, parts = found["softmax(exponential=base2(function=exp,segments=4),out_width=8,out_fraction=8)"], found["lmul(format=e5m2)"]
    assert (row.kind, row.form) == ("function", "a row of 8 arguments side by side")
    assert (parts.kind, parts.form) == ("float_multiplier", "the product as significand, exponent and sign")
    circuit = units.float_multipliers.get("lmul(format=e5m2)").parts_circuit()
    assert circuit is not None
    assert parts.circuit == circuit.sha256


def test_streams_cost_more_than_the_array_they_replace() -> None:
    exact = catalogue.entries()["exact"].silicon["energy_pj"]
    short, full = (catalogue.entries()[f"stochastic(length={n},generator=counter)"].silicon["energy_pj"] / exact for n in (4, 8))
    assert short < 0.5
    assert full > 10


def test_figures_have_their_conditions() -> None:
    held = catalogue.conditions()
    assert {"library", "corner", "recipe", "tool", "operands", "activity", "surroundings"} == set(held)
    assert held["library"].startswith("inexact45@")
    for entry in catalogue.entries().values():
        low, high = entry.energy_interval
        assert low <= entry.silicon["energy_pj"] <= high
        assert entry.silicon["energy_pj"] >= entry.silicon["settled_energy_pj"] * 0.999
        assert entry.silicon["area_um2"] >= 0


@pytest.mark.parametrize(
    "spec", ["trunc(cut=4)", "drum(k=4)", "mitchell", "exact(signed=true)", "evolved(name=mae_1)", "kulkarni(width=4)"]
)
def test_entries_are_the_units(spec: str) -> None:
    entry, unit = catalogue.entries()[spec], units.get(spec)
    circuit = unit.circuit()
    assert circuit is not None
    assert (entry.sha256, entry.circuit) == (unit.sha256, circuit.sha256)
    own = metrics.profile(unit).metrics()
    assert entry.metrics == pytest.approx(own, rel=1e-9)


def test_less_is_cheaper() -> None:
    """Sanity of the figures: a truncated multiplier costs less with every column."""
    found = [catalogue.entries()[f"trunc(cut={cut})"].silicon for cut in (2, 4, 6, 8, 10)]
    for figure in ("area_um2", "energy_pj", "settled_energy_pj"):
        values = [silicon[figure] for silicon in found]
        assert values == sorted(values, reverse=True)


def _some(names: Sequence[str]) -> list[Any]:
    """Every eighth runs each time, the others, which are files of the same making, with --slow."""
    return [pytest.param(name, marks=[] if place % 8 == 0 else pytest.mark.slow) for place, name in enumerate(names)]


@pytest.mark.parametrize("name", _some(Evolved.names()))
def test_evolved_multipliers_meet_their_goal(name: str) -> None:
    unit = Evolved(name=name)
    found = metrics.profile(unit).metrics()
    goal = unit.goal
    match = re.match(r"(\w+) <= ([\d.e+]+)", goal)
    assert match is not None
    if "operands of" not in goal:
        own = metrics.anova(unit).figures() | found
        assert own[match[1]] <= float(match[2]) * (1 + 1e-6)
    if "zero exact" in goal:
        assert found["zero_exact"]
    for bound in re.findall(r", wce <= (\d+)", goal):
        assert found["wce"] <= int(bound)


def test_evolved_names() -> None:
    assert len(Evolved.names()) >= 60
    assert Evolved(name="smae_1").signed
    with pytest.raises(SpecError, match="no evolved multiplier is called 'mae_11'; did you mean"):
        Evolved(name="mae_11")
    with pytest.raises(SpecError, match="operands of 8 bits, not 4x4"):
        units.get("evolved(name=mae_1,width=4)")


def test_an_evolved_multiplier_of_no_error_is_the_product() -> None:
    tight: Multiplier = units.get("exact")
    circuit = Evolved(name="mae_1").circuit()
    exact = tight.circuit()
    assert circuit is not None
    assert exact is not None
    assert equivalent(circuit, exact).verdict == "different"
