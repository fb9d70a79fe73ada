"""Laws of metrics and intervals that hold for every input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inexact import units
from inexact.metrics import error_rank, paired_difference, profile, wilson

TABLES = arrays(np.int64, (16, 8), elements=st.integers(-500, 500))


@given(TABLES, st.booleans())
@settings(deadline=None, max_examples=60)
def test_metrics_bound_each_other(table: np.ndarray, signed: bool) -> None:
    found = profile(units.from_table(table, signed=signed, width=(4, 3)))
    assert abs(found.mean_error) <= found.mae + 1e-9 <= found.rmse + 2e-9 <= found.wce + 3e-9
    assert found.mse == pytest.approx(found.error_variance + found.mean_error**2)
    assert found.mse == pytest.approx(found.var_abs_error + found.mae**2)
    assert (found.error_probability == 0) == (found.wce == 0) == (found.error_rank == 0)
    assert found.mred <= found.wcre + 1e-12
    assert 0 <= found.pred_2pct <= 1


@given(TABLES, arrays(np.int64, 16, elements=st.integers(0, 9)), st.integers(1, 1000))
@settings(deadline=None, max_examples=40)
def test_histograms_have_no_scale(table: np.ndarray, histogram: np.ndarray, scale: int) -> None:
    histogram[0] += 1
    unit = units.from_table(table, signed=False, width=(4, 3))
    first, second = profile(unit, a=histogram), profile(unit, a=histogram * scale)
    assert first.metrics() == pytest.approx(second.metrics())
    assert profile(unit, a=np.full(16, 3.0)).metrics() == pytest.approx(profile(unit).metrics())


@given(arrays(np.int64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(-3, 3)))
@settings(deadline=None, max_examples=80)
def test_error_rank_of_small_matrices(matrix: np.ndarray) -> None:
    assert error_rank(matrix) == np.linalg.matrix_rank(matrix.astype(float)) == error_rank(matrix.T)


@given(st.integers(1, 2000), st.data(), st.floats(0.5, 0.999))
@settings(deadline=None, max_examples=100)
def test_wilson_contains_the_share_and_stays_inside(n: int, data: st.DataObject, confidence: float) -> None:
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n, confidence)
    assert 0 <= low <= successes / n <= high <= 1


@given(arrays(np.bool_, 50), arrays(np.bool_, 50), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_paired_difference_does_not_depend_on_order(reference: np.ndarray, candidate: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(50)
    found = paired_difference(reference, candidate)
    assert found == paired_difference(reference[order], candidate[order])
    assert -1 <= found.low <= found.high <= 1
    assert found.drop == pytest.approx(reference.mean() - candidate.mean())
    assert 0 < found.p_value <= 1
