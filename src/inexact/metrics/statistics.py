"""Confidence intervals: of shares, of their differences, paired on the same images or independent, and of means of repetitions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.core.errors import DataError

Estimated = tuple[float, float, float]
"""A share with its interval: (value, low, high)."""


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """How much worse a candidate is than its reference, judged on the same images; every share is 0..1.

    drop: share right under the reference minus share right under the candidate (> 0 = the candidate is worse); low, high: its
    confidence interval. p_value: exact two-sided McNemar test of no difference. n: images. only_reference, only_candidate: images
    only one of them gets right.
    """

    drop: float
    low: float
    high: float
    p_value: float
    n: int
    only_reference: int
    only_candidate: int


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The mean of `n` independent repetitions and its interval (Student's t), which is infinite for one repetition."""

    mean: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, Any]:
        """A JSON object; an infinite interval is null."""
        known = math.isfinite(self.low)
        return {"mean": self.mean, "ci": [self.low, self.high] if known else None, "n": self.n}

    def shown(self, digits: int = 1) -> str:
        """As "12.4 [10.1, 14.7]"."""
        interval = f" [{self.low:.{digits}f}, {self.high:.{digits}f}]" if math.isfinite(self.low) else " (one repetition)"
        return f"{self.mean:.{digits}f}{interval}"


def wilson(successes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval (low, high) in 0..1 of a proportion, of whole or effective numbers; close to its nominal coverage also near 0,
    near 1 and for few images.

    Raises DataError unless 0 <= successes <= n, n >= 1 and 0 < confidence < 1.

    Reference: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22(158), 1927,
    doi:10.1080/01621459.1927.10502953
    """
    if n < 1 or not 0 <= successes <= n:
        raise DataError(f"successes must be 0..n with n >= 1, not {successes} of {n}; evaluate at least one image")
    z = normal_quantile(confidence)
    share, correction = successes / n, z * z / n
    centre = (share + correction / 2) / (1 + correction)
    half = z / (1 + correction) * math.sqrt(share * (1 - share) / n + correction / (4 * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def independent_difference(one: Estimated, other: Estimated) -> Estimated:
    """(value, low, high) of one - other for two shares with intervals of their own, found from samples that know nothing of each other.

    Method of variance estimates recovery: each end lies as far off as both ends that pull it there do together. Of samples that rise and
    fall together the interval is too wide, never too narrow.

    Reference: R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven methods",
    Statistics in Medicine 17(8), 1998, method 10, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
    """
    (first, first_low, first_high), (second, second_low, second_high) = one, other
    value = first - second
    return value, value - math.hypot(first - first_low, second_high - second), value + math.hypot(first_high - first, second - second_low)


def paired_difference(correct_reference: ArrayLike, correct_candidate: ArrayLike, confidence: float = 0.95) -> PairedDifference:
    """Drop of the candidate against the reference, from two boolean arrays over the same images.

    The interval is Bonett and Price's adjusted Wald (Laplace-smoothed discordant shares), the test exact McNemar; both see only the
    images on which the two differ. Raises DataError for empty, unequal or non-boolean arrays.

    Reference: D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data", J. Educational and Behavioral Statistics 37(4), 2012, doi:10.3102/1076998611411915
    """
    reference, candidate = _flags("correct_reference", correct_reference), _flags("correct_candidate", correct_candidate)
    if reference.shape != candidate.shape:
        raise DataError(f"both arrays must judge the same images, but hold {reference.size} and {candidate.size}; evaluate both on one set")
    n = int(reference.size)
    only_reference = int(np.count_nonzero(reference & ~candidate))
    only_candidate = int(np.count_nonzero(candidate & ~reference))
    smoothed = (only_reference + 1) / (n + 2), (only_candidate + 1) / (n + 2)
    centre = smoothed[0] - smoothed[1]
    half = normal_quantile(confidence) * math.sqrt((sum(smoothed) - centre**2) / (n + 2))
    return PairedDifference(
        drop=(only_reference - only_candidate) / n,
        low=max(-1.0, centre - half),
        high=min(1.0, centre + half),
        p_value=_mcnemar(only_reference, only_candidate),
        n=n,
        only_reference=only_reference,
        only_candidate=only_candidate,
    )


def mean_of(values: ArrayLike, confidence: float = 0.95) -> Mean:
    """Mean of independent repetitions [n] with its interval by Student's t over them. Raises DataError for no values.

    Reference: Student, "The probable error of a mean", Biometrika 6(1), 1908, doi:10.1093/biomet/6.1.1
    """
    array = np.asarray(values, np.float64)
    if array.size == 0:
        raise DataError("a mean needs at least one repetition; there is none")
    centre, n = float(array.mean()), int(array.size)
    half = math.inf if n == 1 else _student_quantile(confidence, n - 1) * float(array.std(ddof=1)) / math.sqrt(n)
    return Mean(mean=centre, low=centre - half, high=centre + half, n=n)


def normal_quantile(confidence: float) -> float:
    """Standard deviations of a normal variable on either side of its mean that hold a share `confidence` of it: 1.96 for 0.95.

    Raises DataError unless 0 < confidence < 1.
    """
    from scipy.special import ndtri

    return float(ndtri(_upper(confidence)))


def _student_quantile(confidence: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, _upper(confidence)))


def _upper(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise DataError(f"confidence must lie between 0 and 1, as 0.95, not {confidence!r}")
    return (1 + confidence) / 2


def _mcnemar(first: int, second: int) -> float:
    if first + second == 0:
        return 1.0
    from scipy import stats  # half a second to import, and only tests of accuracy need it

    return float(stats.binomtest(first, first + second, 0.5).pvalue)


def _flags(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.size == 0:
        raise DataError(f"{name} must judge at least one image, but is empty")
    if array.dtype != np.bool_ or array.ndim != 1:
        raise DataError(f"{name} must be a one-dimensional boolean array, not {array.dtype} of shape {array.shape}")
    return np.asarray(array, dtype=np.bool_)
