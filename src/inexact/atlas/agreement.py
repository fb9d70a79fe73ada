"""How far two partitions of the same things agree, with a bootstrap interval and a permutation test.

Reference: L. Hubert, P. Arabie, "Comparing partitions", J. Classification 2, 1985, doi:10.1007/BF01908075 (adjusted Rand index);
A. Strehl, J. Ghosh, "Cluster ensembles", JMLR 3, 2002 (normalised mutual information, here over the mean of the entropies)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy
from scipy.stats.contingency import crosstab

Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """rand: adjusted Rand index, 0 by chance, 1 when equal; rand_ci: 95 % interval over resampled things, grouped again each time.

    information: normalised mutual information, 0..1. p_value: of a permutation test, one-sided,
    (as good or better + 1) / (permutations + 1). n: things.
    """

    rand: float
    rand_ci: tuple[float, float]
    information: float
    information_ci: tuple[float, float]
    p_value: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "adjusted_rand": self.rand,
            "adjusted_rand_ci": list(self.rand_ci),
            "normalised_mutual_information": self.information,
            "normalised_mutual_information_ci": list(self.information_ci),
            "p_value": self.p_value,
            "n": self.n,
        }


def adjusted_rand(one: Labels, other: Labels) -> float:
    """Adjusted Rand index of two partitions."""
    counts = _table(one, other)

    def pairs(values: NDArray[np.float64]) -> float:
        return float((values * (values - 1) / 2).sum())

    together, rows, columns = pairs(counts), pairs(counts.sum(1)), pairs(counts.sum(0))
    expected = rows * columns / max(pairs(counts.sum(keepdims=True)), 1.0)
    most = (rows + columns) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)


def mutual_information(one: Labels, other: Labels) -> float:
    """Mutual information over the mean of the two entropies; 1 when neither partition splits anything."""
    shares = _table(one, other) / len(one)
    first, second = float(entropy(shares.sum(1))), float(entropy(shares.sum(0)))
    shared = first + second - float(entropy(shares.ravel()))
    return 1.0 if first + second == 0 else max(0.0, 2 * shared / (first + second))


def _table(one: Labels, other: Labels) -> NDArray[np.float64]:
    return np.asarray(crosstab(one, other).count, dtype=float)


def agreement(found: Labels, known: Labels, again: Callable[[Labels], Labels], *, seed: int = 0, resamples: int = 1000) -> Agreement:
    """Agreement of labels that were found with known ones. again: indices of a resample -> its labels, found anew."""
    generator = np.random.default_rng(seed)
    rand, n = adjusted_rand(found, known), len(found)
    beaten = sum(adjusted_rand(generator.permutation(found), known) >= rand for _ in range(resamples))
    drawn = []
    for _ in range(resamples):
        chosen = generator.integers(0, n, n)
        labels = again(chosen)
        drawn.append((adjusted_rand(labels, known[chosen]), mutual_information(labels, known[chosen])))
    low, high = np.quantile(np.array(drawn), (0.025, 0.975), axis=0)
    return Agreement(
        rand=rand,
        rand_ci=(float(low[0]), float(high[0])),
        information=mutual_information(found, known),
        information_ci=(float(low[1]), float(high[1])),
        p_value=(beaten + 1) / (resamples + 1),
        n=n,
    )
