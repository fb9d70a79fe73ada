"""How many faults a statement needs, how they are spread over strata, and the interval that a stratified sample gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.core.errors import FaultError
from inexact.metrics import normal_quantile, wilson

ALLOCATIONS = ("proportional", "neyman")
PSEUDO = 2.0
"""Observations of the pooled sample that a stratum's variance is mixed with: a stratum that saw no failure is not taken for safe."""


def check_precision(margin: float, confidence: float) -> None:
    """Raise FaultError unless 0 < margin < 0.5 and 0 < confidence < 1."""
    if not 0 < margin < 0.5:
        raise FaultError(f"margin must be above 0 and below 0.5 (half of the interval, as a share), not {margin!r}")
    if not 0 < confidence < 1:
        raise FaultError(f"confidence must lie between 0 and 1, as 0.99, not {confidence!r}")


def sample_size(population: int, margin: float, confidence: float, share: float = 0.5) -> int:
    """Faults of `population` that give a share of failures within ± margin: `n = N / (1 + e^2 (N - 1) / (t^2 p (1 - p)))`, rounded up.

    share: the p that is expected; 0.5 is the worst. t: the normal quantile with three decimals, as tables print it.

    Reference: R. Leveugle et al., Statistical fault injection: quantified error and confidence, DATE 2009,
    doi:10.1109/DATE.2009.5090716
    """
    check_precision(margin, confidence)
    if population < 1:
        raise FaultError(f"a sample must be drawn from at least one fault, not from {population}")
    t = round(normal_quantile(confidence), 3)
    return math.ceil(population / (1 + margin**2 * (population - 1) / (t**2 * share * (1 - share))))


def least_sample(margin: float, confidence: float) -> int:
    """Faults without which no Wilson interval is as narrow as ± margin, even when none of them matters."""
    check_precision(margin, confidence)
    z = normal_quantile(confidence)
    return math.ceil(z * z * (1 / (2 * margin) - 1))


def allocate(total: int, sizes: Sequence[int], spreads: ArrayLike | None, generator: np.random.Generator) -> NDArray[np.int64]:
    """Faults for each stratum, `total` in all: in proportion to its size, or to size times standard deviation where `spreads` [H] is given.

    Every stratum gets one at least; with fewer than two a stratum on average they are drawn at random, in proportion to size.

    Reference: J. Neyman, On the two different aspects of the representative method, J. Royal Statistical Society 97(4), 1934,
    doi:10.2307/2342192
    """
    weights = np.asarray(sizes, np.float64) / sum(sizes)
    if total < 2 * len(sizes):
        return generator.multinomial(total, weights).astype(np.int64)
    if spreads is not None:
        weights = weights * np.asarray(spreads, np.float64)
        weights = weights / weights.sum()
    wanted = weights * (total - len(sizes))
    counts = np.floor(wanted).astype(np.int64)
    left = total - len(sizes) - int(counts.sum())
    counts[np.argsort(counts - wanted, kind="stable")[:left]] += 1
    return counts + 1


@final
@dataclass(frozen=True, kw_only=True)
class Rate:
    """A mean over a population with its interval. n: faults; effective: as many drawn without strata would be as precise."""

    value: float
    low: float
    high: float
    n: int
    effective: float

    @property
    def margin(self) -> float:
        """Half of the interval."""
        return (self.high - self.low) / 2


@final
class Sample:
    """Values in 0..1 of faults drawn from strata: of an image fault 0 or 1, of a broken chip the share of its images.

    sizes: sites of each stratum [H]. strata: of each fault [n]. Where a stratum has no fault, all are taken for one sample, which draws in
    proportion to size make right. whole: faults were drawn without replacement, so that a stratum drawn empty is known.
    """

    def __init__(self, sizes: Sequence[int], strata: NDArray[np.int64], *, whole: bool = False) -> None:
        self.sizes = np.asarray(sizes, np.float64)
        self.strata = strata
        self.counts = np.bincount(strata, minlength=len(sizes)).astype(np.float64)
        if (self.counts == 0).any():
            self.sizes, self.strata = np.array([self.sizes.sum()]), np.zeros(len(strata), np.int64)
            self.counts = np.array([float(len(strata))])
        self.weights = self.sizes / self.sizes.sum()
        self.unseen = np.clip(1 - self.counts / self.sizes, 0, 1) if whole else np.ones(len(self.sizes))

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.bincount(self.strata, values, len(self.sizes)).astype(np.float64)
        return found

    def mean(self, values: NDArray[np.float64]) -> float:
        """The stratified mean."""
        return float(self.weights @ (self._sums(values) / self.counts))

    def variances(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of one fault's value within each stratum, mixed with `PSEUDO` observations of the pooled variance, and one failure for all."""
        n, sums, squares = len(values), self._sums(values), self._sums(values**2)
        first = (n * float(self.weights @ (sums / self.counts)) + 1) / (n + 2)  # a failure and a success are added
        second = (n * float(self.weights @ (squares / self.counts)) + 1) / (n + 2)
        within = squares - sums**2 / self.counts
        mixed: NDArray[np.float64] = (within + PSEUDO * (second - first**2)) / (self.counts + PSEUDO) + 1 / (n + 2)
        return mixed

    def spreads(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard deviations, for Neyman's allocation."""
        found: NDArray[np.float64] = np.sqrt(self.variances(values))
        return found

    def rate(self, values: NDArray[np.float64], confidence: float) -> Rate:
        """Stratified mean with the Wilson interval of as many independent faults as its variance is worth.

        Reference: N. Dean, M. Pagano, Evaluating confidence interval methods for binomial proportions in clustered surveys,
        J. Survey Statistics and Methodology 3(4), 2015, doi:10.1093/jssam/smv024
        """
        n, mean = len(values), self.mean(values)
        of_mean = float((self.weights**2 * self.variances(values) / self.counts) @ self.unseen)
        if of_mean == 0:
            return Rate(value=mean, low=mean, high=mean, n=n, effective=math.inf)
        smooth = (n * mean + 1) / (n + 2)
        effective = max(1.0, smooth * (1 - smooth) / of_mean)
        low, high = wilson(mean * effective, effective, confidence)
        return Rate(value=mean, low=low, high=high, n=n, effective=effective)

    def difference(self, lost: NDArray[np.float64], gained: NDArray[np.float64], confidence: float) -> Rate:
        """Mean of lost - gained, as shares of all, with the interval of its variance."""
        change = lost - gained
        sums, n = self._sums(change), len(change)
        within = self._sums(change**2) - sums**2 / self.counts
        pooled = (n * float(self.weights @ (self._sums(change**2) / self.counts)) + 2) / (n + 2)
        variances = (within + PSEUDO * pooled) / (self.counts + PSEUDO) + 2 / (n + 2)
        of_mean = float((self.weights**2 * variances / self.counts) @ self.unseen)
        half = normal_quantile(confidence) * math.sqrt(of_mean)
        mean = self.mean(change)
        return Rate(value=mean, low=max(-1.0, mean - half), high=min(1.0, mean + half), n=n, effective=float(n))
