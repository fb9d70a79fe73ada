"""The split of a unit's error: closed forms, the parts add up, published predictions of what corrections leave."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from inexact import units
from inexact.core.errors import DataError
from inexact.metrics import Anova, anova, profile, weight_moments


def asymmetric(seed: int = 0) -> units.Multiplier:
    return units.from_table(np.random.default_rng(seed).integers(-500, 70_000, (256, 64)), signed=False, width=(8, 6))


def test_parts_are_the_table_again() -> None:
    unit = asymmetric()
    found = anova(unit)
    error = unit.table().astype(float) - unit.exact_table()
    rest = error - found.mean - found.activation[:, None] - found.weight[None, :]
    assert np.abs(rest.mean(0)).max() == pytest.approx(0, abs=1e-9)
    assert np.abs(rest.mean(1)).max() == pytest.approx(0, abs=1e-9)
    assert found.std_interaction == pytest.approx(rest.std())


@pytest.mark.parametrize("weighted", [False, True])
def test_parts_add_up_to_the_mean_squared_error(weighted: bool) -> None:
    unit, rng = asymmetric(1), np.random.default_rng(2)
    a, b = (rng.random(256), rng.random(64)) if weighted else (None, None)
    found, metrics = anova(unit, a, b), profile(unit, a, b)
    assert found.rms_raw == pytest.approx(metrics.rmse)
    assert found.mean == pytest.approx(metrics.mean_error)
    assert found.std_weight**2 + found.std_activation**2 + found.std_interaction**2 == pytest.approx(metrics.error_variance)


def test_a_part_of_one_operand_is_found_there_and_nowhere_else() -> None:
    a, b = np.indices((256, 256))
    of_a = anova(units.from_table(a * b + 3 * a - 7, signed=False))
    of_b = anova(units.from_table(a * b + 5 * b, signed=False))
    deviation = np.arange(256).std()
    assert (of_a.std_weight, of_a.std_interaction) == (0, 0)
    assert of_a.std_activation == pytest.approx(3 * deviation)
    assert of_a.activation == pytest.approx(3 * (np.arange(256) - 127.5))
    assert of_b.rms_folded == pytest.approx(0, abs=1e-9)
    assert of_b.std_weight == pytest.approx(5 * deviation)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("trunc(cut=8)", (191, 9.8, 3.8)),
        ("mitchell", (162, 14.0, 8.4)),
        ("drum(k=4)", (89.5, 22.8, 15.3)),
        ("kulkarni", (53.8, 12.9, 11.2)),
    ],
)
def test_predicted_error_of_a_sum_after_each_correction(spec: str, expected: tuple[float, float, float]) -> None:
    """Percent of the exact sum's standard deviation, 576 terms: computed independently for rectified normal activations (three
    standard deviations = 255) and normal weights (three = 127, zero point 128)."""
    codes = np.arange(256)
    p, q = norm.pdf(codes, 0, 85), norm.pdf(codes, 128, 127 / 3)
    p[0] = norm.cdf(0.5, 0, 85)
    p, q = p / p.sum(), q / q.sum()
    weights = codes - 128.0
    exact = np.sqrt(576 * ((p @ codes**2.0) * (q @ weights**2) - ((p @ codes) * (q @ weights)) ** 2))
    found: Anova = anova(units.multipliers.get(spec), p, q)
    for value, wanted in zip(found.of_sum(576), expected, strict=True):
        assert 100 * value / exact == pytest.approx(wanted, abs=0.11 if wanted < 100 else 0.6)


def test_moments_of_each_weight_follow_their_definition() -> None:
    unit = asymmetric(3)
    share = np.random.default_rng(4).random(256)
    found = weight_moments(unit, share)
    for b in (0, 17, 63):
        error = unit.table()[:, b].astype(float) - np.arange(256) * b
        mean = np.average(error, weights=share)
        assert found.mean[b] == pytest.approx(mean)
        assert found.variance[b] == pytest.approx(np.average((error - mean) ** 2, weights=share))


def test_histograms_are_checked() -> None:
    with pytest.raises(DataError, match="histogram b must have 64 entries"):
        anova(asymmetric(), None, np.ones(256))


def test_monotone_and_sign_symmetric() -> None:
    signed_table = units.multipliers.get("exact(signed=true)").table().copy()
    dropped = signed_table.copy()
    dropped[128:, 128:] += 1  # the quadrant of two negative operands
    bumpy = signed_table.copy()
    bumpy[5, 7] = 99
    found = {
        name: profile(units.from_table(table, signed=True))
        for name, table in (("exact", signed_table), ("dropped", dropped), ("bumpy", bumpy))
    }
    assert found["exact"].monotone
    assert found["exact"].sign_symmetric
    assert not found["dropped"].sign_symmetric
    assert not found["bumpy"].monotone
    assert not profile(units.multipliers.get("trunc(cut=4,signed=true)")).sign_symmetric
    assert profile(units.multipliers.get("trunc(cut=4)")).monotone
    assert profile(units.multipliers.get("sign_magnitude(multiplier=trunc(cut=4))")).sign_symmetric
