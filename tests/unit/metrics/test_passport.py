"""The passport's metrics against loops and known units."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from inexact import units
from inexact.core.errors import DataError
from inexact.metrics import Profile, error_rank, profile
from inexact.metrics.passport import CONVENTIONS


def by_loops(unit: units.Multiplier, a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Every metric by its definition, one pair at a time."""
    rows = []
    for i, x in enumerate(unit.operand_values(0)):
        for j, y in enumerate(unit.operand_values(1)):
            p = a[i] * b[j] / (a.sum() * b.sum())
            if p:
                rows.append((p, int(unit.table()[i, j]) - int(x) * int(y), int(x) * int(y)))
    shares = sum(p for p, _, f in rows if f)
    mean = sum(p * e for p, e, _ in rows)
    mae = sum(p * abs(e) for p, e, _ in rows)
    mse = sum(p * e * e for p, e, _ in rows)
    return {
        "error_probability": sum(p for p, e, _ in rows if e),
        "mae": mae,
        "mse": mse,
        "rmse": math.sqrt(mse),
        "wce": max(abs(e) for _, e, _ in rows),
        "mred": sum(p * abs(e) / abs(f) for p, e, f in rows if f) / shares,
        "mred_all": sum(p * abs(e) / max(1, abs(f)) for p, e, f in rows),
        "wcre": max(abs(e) / abs(f) for _, e, f in rows if f),
        "mean_error": mean,
        "error_variance": sum(p * (e - mean) ** 2 for p, e, _ in rows),
        "var_abs_error": sum(p * (abs(e) - mae) ** 2 for p, e, _ in rows),
        "pred_2pct": sum(p for p, e, f in rows if f and abs(e) < 0.02 * abs(f)) / shares,
    }


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("signed", "width"), [(False, (5, 3)), (True, (4, 5))])
def test_all_metrics_by_definition(signed: bool, width: tuple[int, int], weighted: bool) -> None:
    generator = np.random.default_rng(11)
    shape = (1 << width[0], 1 << width[1])
    unit = units.from_table(generator.integers(-50, 900, size=shape), signed=signed, width=width)
    a, b = (generator.integers(0, 9, size=n) * (generator.random(n) < 0.7) + np.eye(n)[3] for n in shape)
    found = profile(unit, a, b) if weighted else profile(unit)
    expected = by_loops(unit, a, b) if weighted else by_loops(unit, np.ones(shape[0]), np.ones(shape[1]))
    assert {name: found.metrics()[name] for name in expected} == pytest.approx(expected)
    largest = 2 ** (width[0] - 1 + width[1] - 1) if signed else (shape[0] - 1) * (shape[1] - 1)
    assert found.nmed == pytest.approx(found.mae / largest)
    assert found.mae_range == pytest.approx(found.mae / 2 ** sum(width))
    assert found.weighted is weighted


def test_constant_zero() -> None:
    found = profile(units.get("bam(hbl=8,vbl=0)"))
    assert found.error_probability == pytest.approx(1 - 511 / 65536)
    assert (found.mae, found.wce, found.mred, found.wcre) == pytest.approx((127.5**2, 65025, 1.0, 1.0))
    assert (found.zero_exact, found.commutative, found.error_rank) == (True, True, 1)


def test_sign_of_the_error() -> None:
    assert profile(units.get("trunc(cut=4)")).mean_error < 0
    assert profile(units.get("drum(k=4)")).mean_error > 0


def test_wrong_on_zero_blows_up_the_all_pairs_convention() -> None:
    table = np.array(units.get("exact").table())
    table[0, :] = 100
    found = profile(units.from_table(table, signed=False))
    assert found.mred == 0
    assert found.mred_all == pytest.approx(100 * 256 / 65536)
    assert not found.zero_exact


def test_order_of_operands() -> None:
    table = np.array(units.get("exact").table())
    table[3, 200] += 5
    unit = units.from_table(table, signed=False)
    found = profile(unit, a=np.eye(256)[3])
    assert not found.commutative
    assert found.mae == pytest.approx(5 / 256)
    assert profile(unit, b=np.eye(256)[3]).mae == 0


def test_only_zero_operands_occur() -> None:
    found = profile(units.get("trunc(cut=4)"), a=np.eye(256)[0])
    assert (found.mae, found.mred, found.wcre, found.pred_2pct) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("histogram", "message"),
    [
        (np.ones(16), r"histogram a must have 256 entries, one per 8-bit pattern, not shape \(16,\)"),
        (-np.eye(256)[0], "histogram a must hold finite weights >= 0 with a positive sum"),
        (np.full(256, np.nan), "histogram a must hold finite weights >= 0 with a positive sum"),
        (np.zeros(256), "histogram a must hold finite weights >= 0 with a positive sum"),
    ],
)
def test_bad_histograms(histogram: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        profile(units.get("exact"), a=histogram)


def test_adders_have_passports() -> None:
    found = profile(units.adders.get("loa(low=4)"))
    assert found.nmed == pytest.approx(2.875 / 510)
    assert found.mae_range == pytest.approx(2.875 / 512)


def test_printed_passport_names_every_convention() -> None:
    found = profile(units.get("exact(width=(8,4))"))
    text = str(found)
    assert "exact(width=(8,4))  8x4 unsigned; uniform operands, all pairs; error = approx - exact" in text
    assert all(meaning in text for meaning in CONVENTIONS.values())


def test_json_holds_plain_numbers() -> None:
    found = profile(units.get("drum(k=3)"))
    again = json.loads(json.dumps(found.to_json()))
    assert again["wce"] == 14849
    assert again["width"] == [8, 8]
    assert set(CONVENTIONS) < set(again)
    assert isinstance(found, Profile)


@pytest.mark.parametrize("rank", [0, 1, 3, 8, 20])
def test_error_rank_of_products(rank: int) -> None:
    generator = np.random.default_rng(rank)
    left, right = generator.integers(-9, 9, size=(40, rank)), generator.integers(-9, 9, size=(rank, 20))
    assert error_rank(left @ right) == rank == np.linalg.matrix_rank((left @ right).astype(float))


def test_error_rank_is_exact_where_floats_are_not() -> None:
    # the second row differs by 1 in 2**40: far below the tolerance of a floating-point rank of this matrix
    base = 2**40
    assert error_rank(np.array([[base, base], [base, base + 1]], dtype=np.int64)) == 2
    assert error_rank(np.array([[1, 2], [2, 4], [-3, -6]], dtype=np.int64)) == 1
