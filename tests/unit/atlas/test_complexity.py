"""Scores, tiers, the map of evaluations, and figures that must be quoted."""

from __future__ import annotations

import math
from typing import Any

import pytest

from inexact.atlas import complexity, datasets, figures, works
from inexact.core.errors import CatalogueError, UnknownNameError

GOOD: dict[str, Any] = {"work": "alwann2019", "energy": 30.0, "of": "multiplier", "energy_text": "30% of conv multiplication energy"}


def test_scores_by_hand() -> None:
    known = datasets.known()
    assert complexity.data_score(known["mnist"]) == pytest.approx(1 + math.log10(6) / 2)
    assert complexity.data_score(known["imagenet"]) == pytest.approx(3 + math.log2(150528 / 784) / 4 + math.log10(128.1167) / 2)
    assert complexity.data_score(known["lisa"]) is None
    assert complexity.score(known["mnist"], 1e6) == pytest.approx(7 + math.log10(6) / 2)
    weights = complexity.Weights(data=2.0, network=0.5)
    assert complexity.score(known["mnist"], 1e6, weights) == pytest.approx(2 + math.log10(6) + 3)
    assert complexity.score(None, 1e6) is None


def test_scores_follow_the_tiers() -> None:
    by_tier: dict[int, list[float]] = {}
    for data in datasets.known().values():
        if (found := complexity.data_score(data)) is not None:
            by_tier.setdefault(data.tier, []).append(found)
    assert max(by_tier[1]) < min(by_tier[2])
    assert max(by_tier[2]) < max(by_tier[3]) < min(by_tier[4])


def test_the_hardest_evaluation_of_a_work() -> None:
    found = complexity.evaluation(works.get("dyvedeep2020"))
    assert found.data is not None
    assert found.network is not None
    assert (found.data.name, found.network.network.name, found.cell) == ("imagenet", "VGG-16", (4, 4))
    alwann = complexity.evaluation(works.get("alwann2019"))
    assert alwann.to_json()["network"] == "ResNet-50, small images"
    assert alwann.to_json()["assumed"]
    assert complexity.evaluation(works.get("snapea2018")).remembered


def test_networks_are_sized_on_the_images_of_the_data() -> None:
    agn = complexity.evaluation(works.get("agn2022")).to_json()
    assert (agn["network"], agn["data"], agn["macs"]) == ("VGG-16, small images", "tiny-imagenet", 1_253_195_776)
    lenet = complexity.evaluation(works.get("wmed2019")).to_json()
    assert lenet["macs"] == 416_520 + 2 * 6 * 25 * 28 * 28
    assert lenet["assumed"]
    mrazek = complexity.evaluation(works.get("mrazek2016"))
    assert (mrazek.network, mrazek.cell) == (None, (2, 1))  # its perceptron is for MNIST, the hardest data set is SVHN


def test_which_network_goes_with_which_data_is_not_guessed() -> None:
    """Several small data sets, and networks of unknown size among those named: the largest may be for the easier set."""
    for key in ("hashemi2017", "sarwar2018", "guesmi2021", "qosnets2024"):
        found = complexity.evaluation(works.get(key))
        assert (found.network, found.cell) == (None, None), key
    assert complexity.evaluation(works.get("alwann2019")).network is not None  # one data set


def test_what_is_missing_is_said() -> None:
    assert complexity.evaluation(works.get("rookies2022")).missing == "no data set recorded"
    assert complexity.evaluation(works.get("thundervolt2018")).missing == "speech and image benchmarks: not described here"
    assert complexity.evaluation(works.get("tann2017")).missing == "no network recorded"
    vgg = complexity.evaluation(works.get("hammad2018"))
    assert vgg.missing == "VGGNet: size not known on CIFAR-100"
    assert (vgg.score, vgg.cell) == (None, (3, 3))
    assert complexity.evaluation(works.get("mahdiani2010")).missing == "faces has no score"


def test_the_field_counts_techniques_alone() -> None:
    found = complexity.field()
    assert len(found.evaluations) == 144
    assert sum(evaluation.data is not None for evaluation in found.evaluations) == 57
    assert len(found.placed) == 32
    assert all(placed.score is None or 5 < placed.score < 17 for placed in found.figures)


def test_a_figure_lies_where_it_was_measured() -> None:
    placed = {
        (found.figure.data, found.figure.network): found.score for found in complexity.field().figures if found.figure.work == "mrazek2016"
    }
    mnist = placed["mnist", "MLP 784-300-10"]
    assert mnist == pytest.approx(1 + math.log10(6) / 2 + math.log10(238_200))
    assert placed["svhn", "LeNet-6"] is None


def test_gaps_are_cells_that_another_family_reaches() -> None:
    found = complexity.gaps(complexity.field())
    reached = {(e.family, e.cell) for e in complexity.field().placed}
    assert found
    for gap in found:
        cell = (gap.data_tier, gap.network_tier)
        assert (gap.family, cell) not in reached
        assert any(other == cell for _, other in reached)
    assert "no work of the catalogue on precision scaling evaluated networks of below 1 M MACs on digits, clothes, faces" in [
        gap.text() for gap in found
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energy": 31.0}, "energy must be a number of its quotation '30% of conv multiplication energy', not 31.0"),
        ({"energy_text": "31%"}, "energy must quote what the work reports .* not '31%'"),
        ({"of": "chip"}, "of must be one of multiplier, mac, array, accelerator, unstated, not 'chip'"),
        ({"energy": "30"}, "energy must be a number, not '30'"),
        ({"energi": 30}, "has no entry 'energi'; did you mean 'energy'"),
        ({"energy": None}, "must have energy, ratio or loss"),
    ],
)
def test_a_figure_without_provenance_is_refused(changes: dict[str, Any], message: str) -> None:
    record = {name: value for name, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(CatalogueError, match=message):
        figures.parse({"figure": [record]}, works.works())


def test_a_figure_of_an_unknown_work() -> None:
    with pytest.raises(UnknownNameError, match="no work is called 'alwann'"):
        figures.parse({"figure": [GOOD | {"work": "alwann"}]}, works.works())


def test_a_ratio_becomes_a_saving() -> None:
    found = [figure for figure in figures.figures() if figure.work == "shiftcnn2017"]
    assert {figure.energy for figure in found} == {75.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": [28, 28]}, r"shape must be \[channels, height, width\], not \[28, 28\]"),
        ({"tier": 5}, "tier must be a whole number 1..4, not 5"),
        ({"class": 10}, "has no entry 'class'; did you mean 'classes'"),
    ],
)
def test_a_data_set_that_breaks_the_schema_is_refused(changes: dict[str, Any], message: str) -> None:
    record = {"title": "X", "aliases": ["X"], "tier": 1, "reference": "r"} | changes
    with pytest.raises(CatalogueError, match=message):
        datasets.parse({"dataset": {"x": record}})
