"""Clusters of works by what they do, found without the taxonomy, and how far the two agree.

Features are categories (granularity, adaptivity, recovery, retraining, what is changed, nature of the error). Works are as far apart as
the share of features in which they differ, among those known of both (Gower); the tree is average linkage; as many clusters are cut from it
as give the largest mean silhouette. Works of the three families alone.

Reference: J. C. Gower, "A general coefficient of similarity and some of its properties", Biometrics 27(4), 1971, doi:10.2307/2528823;
P. J. Rousseeuw, "Silhouettes", J. Computational and Applied Mathematics 20, 1987, doi:10.1016/0377-0427(87)90125-7
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from inexact.atlas.agreement import Agreement, agreement
from inexact.atlas.taxonomy import class_of
from inexact.atlas.works import Work, works
from inexact.core.families import FAMILIES

FEATURES = ("granularity", "adaptivity", "recovery", "retraining", "changed", "error")
MOST = 10
"""Clusters that are tried, from 2 on."""

RESAMPLES = 500

_RECOVERIES = (
    ("none", r"^none\b"),
    ("training", r"train|fine-tun|distill|back-prop"),
    ("structure", r"structur|self healing|ensemble"),
    ("correction", r"bias|control variate|compensation|weight tuning|BN|drop next|boost"),
    ("choice", r"mapping|selection|threshold|kept precise|co-optimisation|choice"),
)
_CHANGED = (
    ("arithmetic unit", r"multiplier|adder|compressor|softmax|nonlinear|netlist"),
    ("processing element", r"\bMAC|\bPE|array|core|processor|accelerator|GEMM|attention|crossbar|chip"),
    ("part of a layer", r"neuron|filter|kernel|synapse|activation|region|window|weight"),
    ("layer or network", r"layer|network|MLP|model"),
)

Distances = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Works in clusters. labels: 1.. for each work. tree: scipy's linkage [n - 1, 4]. silhouettes: number of clusters -> mean silhouette.

    with_families: agreement with the three families. without_error: the same with the nature of errors, which the taxonomy states, left
    out. missing: feature -> works of which it is not known.
    """

    works: tuple[Work, ...]
    labels: Labels
    tree: NDArray[np.float64]
    silhouettes: dict[int, float]
    with_families: Agreement
    without_error: Agreement
    missing: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; clusters by size, each with what most of its works share."""
        return {
            "features": list(FEATURES),
            "missing": self.missing,
            "silhouettes": {str(count): value for count, value in self.silhouettes.items()},
            "clusters": [
                self._cluster(label) for label in sorted(set(self.labels.tolist()), key=lambda label: -int(np.sum(self.labels == label)))
            ],
            "agreement": self.with_families.to_json(),
            "agreement_without_error": self.without_error.to_json(),
        }

    def _cluster(self, label: int) -> dict[str, Any]:
        held = [work for work, own in zip(self.works, self.labels, strict=True) if own == label]
        families = {family: sum(work.family == family for work in held) for family in FAMILIES}
        shared = {}
        for name in FEATURES:
            values = [value for work in held if (value := features(work)[name]) is not None]
            if values:
                most = max(sorted(set(values)), key=values.count)
                shared[name] = {"value": most, "share": values.count(most) / len(values), "known": len(values)}
        return {"label": int(label), "works": [work.key for work in held], "families": families, "shared": shared}


def features(work: Work) -> dict[str, str | None]:
    """The categories of a work, None where they are not known."""
    return {
        "granularity": None if work.granularity == "not_applicable" else work.granularity,
        "adaptivity": None if work.adaptivity == "not_applicable" else work.adaptivity,
        "recovery": _kind(work.recovery, _RECOVERIES),
        "retraining": work.retraining,
        "changed": _kind(work.unit, _CHANGED),
        "error": class_of()[work.subclass].error,
    }


def _kind(text: str | None, kinds: Sequence[tuple[str, str]]) -> str | None:
    if text is None:
        return None
    return next((name for name, pattern in kinds if re.search(pattern, text, re.IGNORECASE)), "other")


def distances(table: Sequence[dict[str, str | None]], names: Sequence[str]) -> Distances:
    """Gower distances [n, n], 0..1: the share of differing features among those known of both; 1 where none is."""
    codes = np.array([[_code(row[name], table, name) for name in names] for row in table])
    known = (codes[:, None, :] >= 0) & (codes[None, :, :] >= 0)
    differ = known & (codes[:, None, :] != codes[None, :, :])
    counted = known.sum(-1)
    found: Distances = np.where(counted > 0, differ.sum(-1) / np.maximum(counted, 1), 1.0)
    np.fill_diagonal(found, 0.0)
    return found


def _code(value: str | None, table: Sequence[dict[str, str | None]], name: str) -> int:
    return -1 if value is None else sorted({str(row[name]) for row in table}).index(value)


def silhouette(apart: Distances, labels: Labels) -> float:
    """Mean silhouette, -1..1; works alone in their cluster count 0."""
    names = np.unique(labels)
    inside = labels[:, None] == names[None, :]
    sums, sizes = apart @ inside, inside.sum(0)
    own = inside.argmax(1)
    rows = np.arange(len(labels))
    within = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    nearest = means.min(1)
    widest = np.maximum(np.maximum(within, nearest), 1e-12)
    return float(np.where(sizes[own] > 1, (nearest - within) / widest, 0.0).mean())


def tree_of(apart: Distances) -> NDArray[np.float64]:
    """Average linkage, [n - 1, 4]."""
    return linkage(squareform(apart, checks=False), "average")


def cut(tree: NDArray[np.float64], count: int) -> Labels:
    """Labels 1.. of at most `count` clusters."""
    return fcluster(tree, count, "maxclust").astype(np.int64)


def tried(apart: Distances, tree: NDArray[np.float64]) -> dict[int, float]:
    """Number of clusters -> mean silhouette."""
    found = {count: cut(tree, count) for count in range(2, MOST + 1)}
    return {count: silhouette(apart, labels) for count, labels in found.items() if len(set(labels.tolist())) > 1}


def best(silhouettes: dict[int, float]) -> int:
    """The number of clusters of the largest mean silhouette, the smaller of equal ones."""
    return max(silhouettes, key=lambda count: (silhouettes[count], -count))


def clusters(*, seed: int = 0, resamples: int | None = None) -> Clusters:
    """Clusters of the shipped catalogue's works of the three families; seed, resamples (default `RESAMPLES`): of the agreement."""
    held = tuple(work for work in works().values() if work.family in FAMILIES)
    table = [features(work) for work in held]
    families = np.array([FAMILIES.index(work.family) for work in held])
    apart = distances(table, FEATURES)
    drawn = RESAMPLES if resamples is None else resamples
    tree = tree_of(apart)
    silhouettes = tried(apart, tree)
    plain = distances(table, FEATURES[:-1])
    return Clusters(
        works=held,
        labels=cut(tree, best(silhouettes)),
        tree=tree,
        silhouettes=silhouettes,
        with_families=_agreement(apart, families, seed, drawn),
        without_error=_agreement(plain, families, seed, drawn),
        missing={name: sum(row[name] is None for row in table) for name in FEATURES},
    )


def _agreement(apart: Distances, families: Labels, seed: int, resamples: int) -> Agreement:
    tree = tree_of(apart)
    count = best(tried(apart, tree))

    def again(chosen: Labels) -> Labels:
        return cut(tree_of(apart[np.ix_(chosen, chosen)]), count)

    return agreement(cut(tree, count), families, again, seed=seed, resamples=resamples)
