"""Distances, silhouettes and agreement against brute force; the clusters of the catalogue."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from inexact.atlas import clusters, dendrogram, works
from inexact.atlas.agreement import Labels, adjusted_rand, agreement, mutual_information
from inexact.core.families import FAMILIES

TABLE: list[dict[str, str | None]] = [
    {"x": "a", "y": "c"},
    {"x": "a", "y": None},
    {"x": "b", "y": "c"},
    {"x": None, "y": None},
    {"x": "b", "y": "d"},
]


def random_labels(seed: int, kinds: int, n: int = 40) -> Labels:
    return np.random.default_rng(seed).integers(0, kinds, n)


def pair_counts(one: Labels, other: Labels) -> tuple[int, int, int, int]:
    pairs = list(itertools.combinations(range(len(one)), 2))
    both = sum(one[i] == one[j] and other[i] == other[j] for i, j in pairs)
    first = sum(one[i] == one[j] for i, j in pairs)
    second = sum(other[i] == other[j] for i, j in pairs)
    return both, first, second, len(pairs)


@pytest.mark.parametrize("seed", range(4))
def test_the_adjusted_rand_index_counts_pairs(seed: int) -> None:
    one, other = random_labels(seed, 4), random_labels(seed + 10, 3)
    other[:15] = one[:15] % 3
    both, first, second, whole = pair_counts(one, other)
    expected = first * second / whole
    assert adjusted_rand(one, other) == pytest.approx((both - expected) / ((first + second) / 2 - expected))


def test_agreement_at_its_ends() -> None:
    one = random_labels(0, 3)
    assert adjusted_rand(one, (one + 1) % 3) == pytest.approx(1.0)
    assert mutual_information(one, (one + 1) % 3) == pytest.approx(1.0)
    assert mutual_information(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])) == pytest.approx(0.0, abs=1e-12)
    assert mutual_information(np.array([0, 0]), np.array([1, 1])) == 1.0
    assert adjusted_rand(np.array([0, 0]), np.array([1, 1])) == 1.0


def test_agreement_tells_chance_from_likeness() -> None:
    known, other = random_labels(1, 3), random_labels(2, 3)
    same = agreement(known, known, lambda chosen: known[chosen], resamples=60)
    assert (same.rand, same.rand_ci) == (1.0, (1.0, 1.0))
    assert same.p_value == pytest.approx(1 / 61)
    chance = agreement(other, known, lambda chosen: other[chosen], resamples=60)
    assert chance.rand_ci[0] < 0.05
    assert chance.p_value > 0.01


def test_distances_by_hand() -> None:
    found = clusters.distances(TABLE, ("x", "y"))
    assert found[0, 1] == 0.0
    assert found[0, 2] == 0.5
    assert found[0, 3] == 1.0
    assert found[0, 4] == 1.0
    assert found[1, 4] == 1.0
    assert found[2, 4] == 0.5
    assert np.array_equal(found, found.T)


@pytest.mark.parametrize("seed", range(3))
def test_the_silhouette_is_that_of_its_definition(seed: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(25, 2))
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    labels = generator.integers(0, 4, 25)
    labels[0] = 9
    values = []
    for i, own in enumerate(labels):
        same = [j for j in range(25) if labels[j] == own and j != i]
        if not same:
            values.append(0.0)
            continue
        a = float(np.mean([apart[i, j] for j in same]))
        b = min(float(np.mean(apart[i, labels == other])) for other in set(labels.tolist()) - {own})
        values.append((b - a) / max(a, b))
    assert clusters.silhouette(apart, labels) == pytest.approx(float(np.mean(values)))


def test_features_of_works() -> None:
    assert clusters.features(works.get("tasoulas2020")) == {
        "granularity": "heterogeneous",
        "adaptivity": "runtime",
        "recovery": "correction",
        "retraining": "none",
        "changed": "arithmetic unit",
        "error": "value",
    }
    assert clusters.features(works.get("silfa2019"))["recovery"] is None
    held = [work for work in works.works().values() if work.family in FAMILIES]
    assert not any("other" in clusters.features(work).values() for work in held)


def test_the_clusters_of_the_catalogue() -> None:
    found = clusters.clusters(resamples=20)
    assert len(found.labels) == 113
    assert len(set(found.labels.tolist())) == max(found.silhouettes, key=lambda count: (found.silhouettes[count], -count)) == 9
    assert found.with_families.rand == pytest.approx(0.231, abs=0.001)
    assert found.without_error.rand < found.with_families.rand
    assert found.missing == {"granularity": 0, "adaptivity": 0, "recovery": 31, "retraining": 32, "changed": 0, "error": 0}
    content = found.to_json()
    assert sum(len(cluster["works"]) for cluster in content["clusters"]) == 113
    largest = content["clusters"][0]
    assert largest["families"]["approximate_units"] == 40
    drawn = dendrogram.picture(found)
    assert drawn.count("drum2015") == 1
    assert "113 works, 9 clusters" in drawn
