"""The taxonomy holds every work and every technique, once."""

from __future__ import annotations

from typing import Any

import pytest

from inexact.atlas import coverage, registries, taxonomy, works
from inexact.core.errors import CatalogueError
from inexact.core.families import FAMILIES

GOOD: dict[str, Any] = {"name": "x", "title": "X", "family": "approximate_units", "error": "value", "subclasses": ["a"]}


def test_every_subclass_belongs_to_a_class_of_its_family() -> None:
    held = taxonomy.class_of()
    assert set(held) == {work.subclass for work in works.works().values()}
    assert all(held[work.subclass].family == work.family for work in works.works().values())


def test_every_technique_is_in_the_tree_once() -> None:
    listed = [use for entry in taxonomy.classes() for use in entry.techniques()] + list(taxonomy.unclassed())
    assert sorted(listed) == sorted(registries.techniques())


def test_parameters_are_those_of_the_registry() -> None:
    assert taxonomy.parameters("multiplier:drum") == ("k=4",)
    assert taxonomy.parameters("multiplier:mitchell") == ()
    assert "threshold" not in taxonomy.parameters("reduction:msb_prediction")


def test_the_tree_and_its_page() -> None:
    found = taxonomy.tree()
    assert [family["name"] for family in found["families"]][:3] == list(FAMILIES)
    segments = next(entry for entry in found["families"][1]["classes"] if entry["name"] == "segments")
    assert {"key": "drum2015", "year": 2015, "status": "here"} in segments["works"]
    page = taxonomy.page()
    assert "`multiplier:drum(k=4)`" in page
    assert "**drum2015**" in page
    assert "*snapea2018*" in page
    everything = coverage.coverage().everything
    assert f"| everything | {everything.works} | {everything.here} | {everything.part} | {everything.absent} |" in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "units"}, "family must be one of"),
        ({"error": "big"}, "error must be one of exact, value, predictive, timing, random, not 'big'"),
        ({"titel": "X"}, "has no entry 'titel'; did you mean 'title'"),
    ],
)
def test_a_class_that_breaks_the_schema_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        taxonomy.parse({"class": [GOOD | changes]})


def test_a_subclass_belongs_to_one_class() -> None:
    with pytest.raises(CatalogueError, match="sub-class 'a' must belong to one class, not to x and y"):
        taxonomy.parse({"class": [GOOD, GOOD | {"name": "y"}]})
