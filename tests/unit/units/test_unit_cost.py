"""The gate-count cost model: reference, order, honesty."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from inexact import units
from inexact.units.cost import relative_cost


def energy(spec: str) -> float:
    return relative_cost(units.get(spec)).energy.value


@pytest.mark.parametrize("spec", ["exact", "exact(signed=true)", "trunc(cut=0)", "bam(hbl=0,vbl=0)", "perforation(start=3,count=0)"])
def test_the_exact_array_is_the_reference(spec: str) -> None:
    cost = relative_cost(units.get(spec))
    assert (cost.energy.value, cost.area.value, cost.delay.value) == (1.0, 1.0, 1.0)
    assert cost.energy.spread == (1.0, 1.0)


@pytest.mark.parametrize(
    "specs",
    [
        [f"trunc(cut={c})" for c in range(16)],
        [f"trunc(cut={c},signed=true)" for c in range(8)],
        [f"trunc(cut={c},correction=constant)" for c in range(0, 16, 3)],
        [f"bam(hbl={h},vbl=4)" for h in range(9)],
        [f"bam(hbl=2,vbl={v})" for v in range(16)],
        [f"perforation(start=0,count={c})" for c in range(9)],
        [f"operand_trunc(cut_a={c},cut_b={c})" for c in range(8)],
        [f"operand_trunc(cut_a={c},cut_b=0,signed=true)" for c in range(8)],
        [f"drum(k={k})" for k in range(7, 1, -1)],
        [f"dsm(m={m})" for m in range(7, 1, -1)],
        [f"ssm(m={m})" for m in range(7, 3, -1)],
        [f"ilm(blocks={n})" for n in range(3, -1, -1)],
        ["exact", "exact(width=7)", "exact(width=(8,4))", "exact(width=4)", "exact(width=2)"],
        ["kulkarni", "kulkarni(width=(8,4))", "kulkarni(width=4)", "kulkarni(width=2)"],
    ],
    ids=lambda specs: specs[0],
)
def test_more_approximate_is_cheaper(specs: list[str]) -> None:
    values = [energy(spec) for spec in specs]
    assert all(more > less for more, less in itertools.pairwise(values)) or (values[-1] == 0 and sorted(values, reverse=True) == values)


def test_nothing_left_costs_nothing() -> None:
    assert energy("trunc(cut=15)") == 0
    assert energy("bam(hbl=8,vbl=0)") == 0


def test_a_correction_constant_costs_something_but_little() -> None:
    assert energy("trunc(cut=8)") < energy("trunc(cut=8,correction=constant)") < energy("trunc(cut=7)")


def test_shifters_and_detectors_are_charged() -> None:
    # at 8 bits RoBA's three shifters cost more than the array they replace; the inner array alone would be 0.2 of it
    assert energy("roba") > 1
    assert energy("drum(k=4)") > 2 * energy("exact(width=4)")


def test_costs_are_declared_as_a_model() -> None:
    cost = relative_cost(units.get("trunc(cut=4)"))
    for estimate in (cost.energy, cost.area, cost.delay):
        assert estimate.source.startswith("gate-count model (")
        assert (estimate.verified, estimate.unit) == (False, "1")
    assert cost.energy.spread is not None
    assert cost.energy.spread[0] <= cost.energy.value <= cost.energy.spread[1]


def test_by_hand() -> None:
    # trunc(cut=4): 54 AND, 2 HA, 42 FA against 64, 8, 48
    assert energy("trunc(cut=4)") == pytest.approx(
        (54 * 2.3465 + 2 * 4.693 + 42 * 8.9167) / (64 * 2.3465 + 8 * 4.693 + 48 * 8.9167), rel=1e-12
    )


def test_a_table_is_charged_as_the_exact_unit_and_says_so() -> None:
    unit = units.from_table(np.zeros((256, 16), dtype=np.int32), signed=False, width=(8, 4))
    cost = relative_cost(unit)
    assert cost.energy.value == energy("exact(width=(8,4))")
    assert "no circuit known, charged as the exact multiplier of its width" in cost.energy.source


def test_energy_spread_widens_with_the_saving_and_never_goes_negative() -> None:
    exact, mild, heavy = (relative_cost(units.get(spec)).energy for spec in ("exact", "trunc(cut=2)", "trunc(cut=10)"))
    assert exact.spread == (1.0, 1.0)
    assert mild.spread is not None
    assert heavy.spread is not None
    assert mild.spread[0] > 0.85
    assert mild.spread[1] < 1
    assert heavy.spread[0] == 0
    assert heavy.spread[1] == pytest.approx(heavy.value + 0.08, abs=0.01)
