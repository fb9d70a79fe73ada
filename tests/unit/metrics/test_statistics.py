"""Intervals against published worked examples and exact coverage by enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from inexact.core.errors import DataError
from inexact.metrics import independent_difference, mean_of, paired_difference, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17, 1998, table I, score method without continuity correction
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_published(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((6, 7), (2, 7), 0.0582, 0.8062)],
)
def test_difference_published_by_newcombe(one: tuple[int, int], other: tuple[int, int], low: float, high: float) -> None:
    """Table II of the paper, method 10, contrasts (a), (b) and (c)."""
    found = independent_difference((one[0] / one[1], *wilson(*one)), (other[0] / other[1], *wilson(*other)))
    assert found == pytest.approx((one[0] / one[1] - other[0] / other[1], low, high), abs=5e-5)


def test_wilson_is_symmetric_and_closed_at_the_ends() -> None:
    low, high = wilson(7, 50)
    assert wilson(43, 50) == pytest.approx((1 - high, 1 - low))
    assert wilson(50, 50)[1] == 1.0


def test_wilson_confidence() -> None:
    inner, outer = wilson(9230, 10000, 0.9), wilson(9230, 10000, 0.99)
    assert outer[0] < inner[0] < 0.923 < inner[1] < outer[1]


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_bad_counts(successes: int, n: int) -> None:
    with pytest.raises(DataError, match=r"successes must be 0\.\.n with n >= 1"):
        wilson(successes, n)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_bad_confidence(confidence: float) -> None:
    for interval in (lambda: wilson(1, 2, confidence), lambda: mean_of([1.0, 2.0], confidence)):
        with pytest.raises(DataError, match=r"confidence must lie between 0 and 1, as 0\.95"):
            interval()


def test_a_mean_has_the_interval_of_student() -> None:
    """t of 3 degrees of freedom: 3.182 at 95 %, 5.841 at 99 % (any table of the distribution); the normal 1.960 would be too sure."""
    spread = math.sqrt(14 / 3) / 2  # of 1, 2, 3, 6 about 3
    found = mean_of([1.0, 2.0, 3.0, 6.0])
    assert (found.mean, found.n) == (3.0, 4)
    assert (found.low, found.high) == pytest.approx((3 - 3.182446 * spread, 3 + 3.182446 * spread))
    assert mean_of([1.0, 2.0, 3.0, 6.0], 0.99).high == pytest.approx(3 + 5.840909 * spread)
    assert found.shown() == "3.0 [-0.4, 6.4]"


def test_one_repetition_has_no_interval_and_none_no_mean() -> None:
    found = mean_of([2.5])
    assert found.to_json() == {"mean": 2.5, "ci": None, "n": 1}
    assert found.shown() == "2.5 (one repetition)"
    with pytest.raises(DataError, match=r"a mean needs at least one repetition; there is none"):
        mean_of([])


def flags(only_reference: int, only_candidate: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    reference = np.array([True] * only_reference + [False] * only_candidate + [True] * both + [False] * neither)
    candidate = np.array([False] * only_reference + [True] * only_candidate + [True] * both + [False] * neither)
    return reference, candidate


def test_paired_difference_by_hand() -> None:
    found = paired_difference(*flags(9, 1, 70, 20))
    assert (found.drop, found.n, found.only_reference, found.only_candidate) == (0.08, 100, 9, 1)
    # exact McNemar: 2 * (C(10, 0) + C(10, 1)) / 2**10
    assert found.p_value == pytest.approx(22 / 1024)
    p, q = 10 / 102, 2 / 102
    half = 1.959963984540054 * math.sqrt((p + q - (p - q) ** 2) / 102)
    assert (found.low, found.high) == pytest.approx((p - q - half, p - q + half))


def test_paired_difference_published_example() -> None:
    # D. G. Bonett, Statistical Methods for Psychologists, 2021: counts 12, 4, 26, 6 give 0.44 (SE 0.0945), 0.2548 to 0.6252
    found = paired_difference(*flags(26, 4, 6, 12))
    assert (found.low, found.high) == pytest.approx((0.2548067, 0.6251933), abs=1e-7)
    assert (found.low + found.high) / 2 == pytest.approx(0.44)


def test_paired_difference_changes_sign_with_its_arguments() -> None:
    reference, candidate = flags(12, 5, 60, 23)
    there, back = paired_difference(reference, candidate), paired_difference(candidate, reference)
    assert (there.drop, there.low, there.high) == pytest.approx((-back.drop, -back.high, -back.low))
    assert there.p_value == back.p_value


def test_equal_results() -> None:
    found = paired_difference(*flags(0, 0, 80, 20))
    assert (found.drop, found.p_value) == (0.0, 1.0)
    assert found.low < 0 < found.high


def test_only_discordant_images_matter_to_the_test() -> None:
    assert paired_difference(*flags(9, 2, 10, 0)).p_value == paired_difference(*flags(9, 2, 5000, 300)).p_value


@pytest.mark.parametrize(("p", "q"), [(0.03, 0.01), (0.1, 0.1), (0.2, 0.05), (0.02, 0.02)])
def test_paired_interval_covers_as_promised(p: float, q: float) -> None:
    """Coverage summed exactly over all outcomes of n = 60 images: near the nominal 95 %, never far below."""
    n, covered = 60, 0.0
    trinomial = stats.multinomial(n, [p, q, 1 - p - q])
    for x, y in itertools.product(range(40), range(40)):
        if x + y > n or (chance := float(trinomial.pmf([x, y, n - x - y]))) < 1e-10:
            continue
        found = paired_difference(*flags(x, y, n - x - y, 0))
        covered += chance * (found.low <= p - q <= found.high)
    assert 0.94 <= covered <= 1.0


@pytest.mark.parametrize(
    ("reference", "candidate", "message"),
    [
        ([], [], "correct_reference must judge at least one image, but is empty"),
        ([True, False], [True], "both arrays must judge the same images, but hold 2 and 1"),
        ([1, 0], [1, 0], r"correct_reference must be a one-dimensional boolean array, not int64 of shape \(2,\)"),
    ],
)
def test_bad_flags(reference: list[bool], candidate: list[bool], message: str) -> None:
    with pytest.raises(DataError, match=message):
        paired_difference(np.array(reference), np.array(candidate))
