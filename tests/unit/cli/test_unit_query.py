"""Selecting and sorting units by expressions."""

from __future__ import annotations

from typing import Any

import pytest

from inexact import units
from inexact.cli._unit_catalogue import known, listed, priced
from inexact.cli._unit_facts import summary
from inexact.cli._unit_query import names, selected
from inexact.cli._unit_subject import resolve
from inexact.core.errors import SpecError
from inexact.units import catalogue

SPECS = ("exact", "trunc(cut=4)", "trunc(cut=8)", "drum(k=4)", "mitchell", "loa")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    table = units.from_table(units.multipliers.get("drum(k=5)").table(), signed=False)
    return [summary(unit) for unit in (*map(resolve, SPECS), table)]


def specs(found: list[dict[str, Any]]) -> list[str]:
    return [row["spec"].partition("(content")[0] for row in found]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("mae < 13 and kind == 'multiplier'", ["exact", "trunc(cut=4)"]),
        ("family == 'trunc'", ["trunc(cut=4)", "trunc(cut=8)"]),
        ("not (width_a == 8 and zero_exact) or error_rank > 100", ["mitchell"]),
        ("abs(mean_error) > 400 and wce / 2 < 2000", ["trunc(cut=8)"]),
        ("0 < energy < 0.75 + 0.1", ["trunc(cut=8)", "drum(k=4)", "mitchell"]),
        ("-mae >= 0", ["exact"]),
    ],
)
def test_where(rows: list[dict[str, Any]], where: str, expected: list[str]) -> None:
    found = specs(selected(rows, where, None))
    known = {row["spec"]: names(row) for row in rows}
    if "energy" in where:
        expected = [spec for spec in SPECS if known[resolve(spec).spec]["energy"] is not None and known[spec]["energy"] < 0.85]
    assert [spec.partition("(k=3")[0] for spec in found if not spec.startswith("loa")] == [s for s in expected if s != "loa"]


def test_sort_puts_the_unknown_last(rows: list[dict[str, Any]]) -> None:
    found = selected(rows, "kind == 'multiplier'", "energy")
    values = [names(row)["energy"] for row in found]
    assert values[-1] is None
    assert values[:-1] == sorted(values[:-1])
    assert specs(selected(rows, "family == 'trunc'", "-mae")) == ["trunc(cut=8)", "trunc(cut=4)"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("mead < 1", r"no figure of a unit is called 'mead'; did you mean 'nmed' or 'mred'"),
        ("mae <", "must be an expression such as 'mred<0.02 and zero_exact'"),
        ("__import__('os')", "an expression may hold figures, numbers, comparisons"),
        ("mae.real", "an expression may hold figures"),
        ("[m for m in (1,)]", "an expression may hold figures"),
        ("mae < 'x'", "figures cannot be combined so"),
        ("1 / 0 < 1", "figures cannot be combined so"),
    ],
)
def test_bad_expressions(rows: list[dict[str, Any]], where: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        selected(rows, where, None)


def test_values_that_have_no_order(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(SpecError, match="cannot be combined"):
        selected(rows, None, "spec + 1")


def test_the_shipped_catalogue_is_asked_the_same_figures_as_it_lists() -> None:
    entries = catalogue.entries().values()
    assert len(entries) > 1000
    for entry in entries:
        assert known(entry) == names(priced(entry))


def test_a_figure_that_some_units_lack() -> None:
    found, total = listed("error_rank < 3 and mae > 0", None, 5)
    assert 5 == len(found) < total
    assert all(row["metrics"]["error_rank"] < 3 for row in found)
