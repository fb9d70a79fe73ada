"""Sample sizes against published values, allocation, and the coverage of the stratified interval."""

from __future__ import annotations

import numpy as np
import pytest

from inexact.core.errors import FaultError
from inexact.metrics import wilson
from inexact.reliability.sampling import Sample, allocate, least_sample, sample_size


@pytest.mark.parametrize(
    ("margin", "confidence", "faults"), [(0.05, 0.95, 385), (0.01, 0.95, 9595), (0.01, 0.99, 16562), (0.001, 0.99, 1422894)]
)
def test_sample_sizes_of_ten_million_faults(margin: float, confidence: float, faults: int) -> None:
    assert sample_size(10_000_000, margin, confidence) == faults


def test_a_small_population_is_taken_whole() -> None:
    assert sample_size(1, 0.01, 0.99) == 1
    assert sample_size(100, 0.001, 0.99) == 100


def test_no_interval_is_narrow_with_fewer_than_the_least_sample() -> None:
    least = least_sample(0.01, 0.99)
    for n, enough in ((least, True), (least - 1, False)):
        low, high = wilson(0, n, 0.99)
        assert ((high - low) / 2 <= 0.01) is enough


@pytest.mark.parametrize(
    ("margin", "confidence", "says"),
    [(0.0, 0.95, "margin must be above 0"), (-1, 0.95, "margin must be above 0"), (0.01, 1.0, "confidence must lie")],
)
def test_precision_that_does_not_exist_is_refused(margin: float, confidence: float, says: str) -> None:
    with pytest.raises(FaultError, match=says):
        sample_size(1000, margin, confidence)


def test_an_empty_population_has_no_sample() -> None:
    with pytest.raises(FaultError, match="at least one fault, not from 0"):
        sample_size(0, 0.01, 0.95)


def test_allocations() -> None:
    rng = np.random.default_rng(0)
    assert allocate(100, [10, 30, 60], None, rng).tolist() == [11, 30, 59]
    assert allocate(100, [10, 30, 60], [0.5, 0.1, 0.0], rng).tolist() == [62, 37, 1]
    few = allocate(3, [10, 30, 60], None, rng)
    assert few.sum() == 3


def test_one_stratum_gives_about_the_wilson_interval() -> None:
    values = np.zeros(400)
    values[:30] = 1
    rate = Sample([1000], np.zeros(400, np.int64)).rate(values, 0.95)
    low, high = wilson(30, 400)
    assert rate.value == pytest.approx(0.075)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=0.002)
    assert rate.low <= low
    assert rate.high >= high


def test_a_sample_of_everything_has_no_margin() -> None:
    rate = Sample([2, 2], np.array([0, 0, 1, 1]), whole=True).rate(np.array([0.0, 1.0, 0.5, 0.5]), 0.95)
    assert (rate.value, rate.margin) == (0.5, 0.0)


@pytest.mark.parametrize("shares", [(0.001, 0.002, 0.0, 0.03), (0.0, 0.0, 0.0, 0.5), (0.4, 0.1, 0.6, 0.5)])
def test_intervals_cover_the_rate_as_often_as_they_say(shares: tuple[float, ...]) -> None:
    sizes, rng = [500, 300, 150, 50], np.random.default_rng(5)
    truth = float(np.dot(sizes, shares) / sum(sizes))
    counts = allocate(300, sizes, None, rng)
    strata = np.repeat(np.arange(4), counts)
    sample = Sample(sizes, strata)
    hits = 0
    for _ in range(600):
        values = (rng.random(300) < np.array(shares)[strata]).astype(np.float64)
        rate = sample.rate(values, 0.95)
        hits += rate.low <= truth <= rate.high
    assert hits / 600 >= 0.94


def test_differences_of_losses_and_gains() -> None:
    lost, gained = np.zeros(1000), np.zeros(1000)
    lost[:50], gained[50:60] = 1, 1
    found = Sample([10], np.zeros(1000, np.int64)).difference(lost, gained, 0.95)
    assert found.value == pytest.approx(0.04)
    assert 0.02 < found.low < 0.026
    assert 0.054 < found.high < 0.06
