"""Intervals for accuracies and for differences of accuracy on the same images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from inexact.core.errors import DataError


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Reference minus candidate accuracy, as fractions of n. low, high: its interval. p_value: exact McNemar test, two-sided.

    only_reference, only_candidate: images only the one of the two classifies right.
    """

    drop: float
    low: float
    high: float
    p_value: float
    n: int
    only_reference: int
    only_candidate: int


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval (low, high) of a proportion, 0..1. Raises DataError unless 0 <= successes <= n and n > 0.

    Reference: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22, 1927
    """
    if n < 1 or not 0 <= successes <= n:
        raise DataError(f"a proportion needs 0 <= successes <= n and n > 0, not {successes} of {n}")
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def paired_difference(reference: NDArray[np.bool_], candidate: NDArray[np.bool_], confidence: float = 0.95) -> PairedDifference:
    """The drop in accuracy from reference to candidate, bool [n] each, same images in the same order.

    The interval is the adjusted Wald interval for paired proportions (one success added to each discordant cell).
    Raises DataError for empty or unequal inputs.

    Reference: D. G. Bonett, R. M. Price, Adjusted Wald Confidence Interval for a Difference of Binomial Proportions Based on Paired
    Data, Journal of Educational and Behavioral Statistics 37(4), 2012
    """
    if len(reference) == 0 or len(reference) != len(candidate):
        raise DataError(f"a paired difference needs the same images, at least one; got {len(reference)} and {len(candidate)}")
    n = len(reference)
    lost, won = int(np.sum(reference & ~candidate)), int(np.sum(~reference & candidate))
    p_lost, p_won = (lost + 1) / (n + 2), (won + 1) / (n + 2)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    reach = z * math.sqrt((p_lost + p_won - (p_lost - p_won) ** 2) / (n + 2))
    p_value = float(stats.binomtest(lost, lost + won).pvalue) if lost + won else 1.0
    middle = p_lost - p_won
    return PairedDifference(
        drop=(lost - won) / n,
        low=max(-1.0, middle - reach),
        high=min(1.0, middle + reach),
        p_value=p_value,
        n=n,
        only_reference=lost,
        only_candidate=won,
    )
