"""Pictures are well-formed, and their counts are those of the field."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from inexact.atlas import complexity, pictures

FIELD = complexity.field()


@pytest.mark.parametrize("name", sorted(pictures.PICTURES))
def test_a_picture_is_well_formed_and_named(name: str) -> None:
    root = ElementTree.fromstring(pictures.PICTURES[name](FIELD))
    assert root.get("role") == "img"
    assert root.get("aria-label")


def test_bubbles_count_every_work_with_data() -> None:
    drawn = pictures.bubble_map(FIELD)
    counts = [int(part.partition(" ")[0]) for part in drawn.split("<title>")[1:]]
    assert sum(counts) == sum(one.data is not None for one in FIELD.evaluations)


def test_points_are_figures_with_both() -> None:
    drawn = pictures.against_score(FIELD, "energy")
    both = [one for one in FIELD.figures if one.score is not None and one.figure.energy is not None]
    assert drawn.count("% of") == len(both)
    assert f"{len(both)} of 38 figures" in drawn


def test_retraining_is_counted_by_tier() -> None:
    found = dict(pictures.retraining_shares(FIELD))
    assert found[4] == {"none": 12, "required": 6, "optional": 2, "not known": 4}
    assert {tier: sum(counts.values()) for tier, counts in found.items()} == {1: 8, 2: 17, 3: 8, 4: 24}


def test_what_is_missing_is_counted() -> None:
    found = pictures.listed(FIELD.evaluations)
    assert sum(found.values()) == 144
    assert found["no data set recorded"] == 82
