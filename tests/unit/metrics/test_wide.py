"""Passports of wide units: all pairs equal the table's, samples cover the truth, published figures, bad requests."""

from __future__ import annotations

import numpy as np
import pytest

from inexact import units
from inexact.core.errors import SpecError
from inexact.metrics import profile
from inexact.metrics.wide import WideProfile, wide_profile

NARROW = (
    "drum(k=4)",
    "trunc(cut=8,correction=constant)",
    "trunc(cut=6,signed=true)",
    "mitchell",
    "stochastic(length=13)",
    "exact(width=(8,5))",
)
SAMPLED = ("error_probability", "mae", "mse", "rmse", "mred", "mred_all", "nmed", "mae_range", "mean_error", "pred_2pct")


def unit_of(spec: str) -> units.Multiplier | units.Adder:
    return units.adders.get(spec) if spec.startswith(("loa", "trunc_adder")) else units.multipliers.get(spec)


@pytest.mark.parametrize("spec", [*NARROW, "loa"])
def test_all_pairs_equal_the_table(spec: str) -> None:
    unit = unit_of(spec)
    found, wanted = wide_profile(unit, exhaustive=True), profile(unit).metrics()
    assert (found.exhaustive, found.pairs, found.intervals) == (True, 1 << sum(unit.width), {})
    for name, value in found.metrics().items():
        assert value == pytest.approx(wanted[name], rel=1e-10, abs=1e-9), name


@pytest.mark.parametrize("spec", [*NARROW, "loa"])
def test_a_sample_is_unbiased_and_its_intervals_hold(spec: str) -> None:
    """Every deviation within 4.5 standard errors (chance of a false alarm about 1e-5 each), and not all on one side."""
    unit = unit_of(spec)
    found, wanted = wide_profile(unit, exhaustive=False, samples=60_000, seed=1), profile(unit).metrics()
    assert set(found.intervals) == set(SAMPLED)
    for name, (low, high) in found.intervals.items():
        centre = getattr(found, name)
        assert low <= centre <= high
        assert abs(centre - wanted[name]) <= 4.5 / 1.96 * max(high - centre, centre - low) + 1e-12, name
    assert found.wce <= wanted["wce"]
    assert found.zero_exact == wanted["zero_exact"]


def test_a_sample_follows_its_seed() -> None:
    unit = units.multipliers.get("drum(k=6,width=16)")
    first, again, other = (wide_profile(unit, samples=20_000, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first.mae != other.mae


def test_published_figures_at_16_bits() -> None:
    """DRUM, k = 6: 1.47 % mean relative error (S. Hashemi et al., ICCAD 2015)."""
    found = wide_profile(units.multipliers.get("drum(k=6,width=16)"))
    low, high = found.intervals["mred"]
    assert not found.exhaustive
    assert found.mred == pytest.approx(0.0147, abs=1e-4)
    assert high - low < 1e-4


def test_closed_form_over_all_pairs_of_12_bits() -> None:
    seen: list[tuple[int, int]] = []
    found: WideProfile = wide_profile(
        units.multipliers.get("trunc(cut=6,width=12)"), progress=lambda done, total: seen.append((done, total))
    )
    wce = 5 * 64 + 1
    assert (found.wce, found.mean_error, found.mae) == (wce, -wce / 4, wce / 4)
    assert seen[-1] == (1 << 24, 1 << 24)


@pytest.mark.slow
def test_all_pairs_of_16_bits() -> None:
    found = wide_profile(units.multipliers.get("trunc(cut=8,width=16)"), exhaustive=True)
    wce = 7 * 256 + 1
    assert found.wce == wce
    assert found.mean_error == pytest.approx(-wce / 4, rel=1e-12)


def test_strata_cover_every_signed_value_once() -> None:
    from inexact.metrics.wide import _strata, _values

    unit = units.multipliers.get("exact(signed=true,width=6)")
    ranks = np.concatenate([np.arange(low, low + count) for low, count in _strata(unit, 0)])
    assert sorted(ranks.tolist()) == list(range(64))
    assert sorted(_values(unit, 0, ranks).tolist()) == list(range(-32, 32))


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("stochastic(length=13,width=(16,10))", {"exhaustive": True}, "more than 24 operand bits need a netlist, and stochastic"),
        ("loa(width=20)", {"exhaustive": True}, "up to 32 operand bits together, and loa.* has 40; sample it"),
        ("drum(k=6,width=16)", {"samples": 10}, "samples must be at least 1000, not 10"),
    ],
)
def test_bad_requests(spec: str, options: dict[str, bool], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        wide_profile(unit_of(spec), **options)  # type: ignore[arg-type]
