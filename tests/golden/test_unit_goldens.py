"""Published error metrics, exhaustively at 8x8: every printed digit."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from inexact import units
from inexact.metrics import Profile, profile

GOLDENS = tomllib.loads((Path(__file__).parent / "multipliers.toml").read_text(encoding="utf-8"))
PERCENT = {"ep_pct": "error_probability", "mred_pct": "mred", "wcre_pct": "wcre"}


def agree(measured: float, printed: str) -> bool:
    """Whether a number rounds to the printed digits."""
    digits = -int(Decimal(printed).as_tuple().exponent)
    return abs(measured - float(printed)) <= 0.5000001 * 10.0**-digits


def check(found: Profile, row: dict[str, str]) -> None:
    measured = found.metrics() | {"std": math.sqrt(found.error_variance)}
    wrong = {}
    for name, printed in row.items():
        if name != "spec":
            value = measured[PERCENT[name]] * 100 if name in PERCENT else measured[name]
            if not agree(value, printed):
                wrong[name] = (value, printed)
    assert not wrong


@pytest.mark.parametrize("row", GOLDENS["multiplier"], ids=lambda row: row["spec"])
def test_multiplier(row: dict[str, str]) -> None:
    check(profile(units.get(row["spec"])), row)


@pytest.mark.parametrize("row", GOLDENS["adder"], ids=lambda row: row["spec"])
def test_adder(row: dict[str, str]) -> None:
    check(profile(units.adders.get(row["spec"])), row)


@pytest.mark.parametrize(
    ("spec", "ep", "mred_all", "mred", "wce", "bias"),
    [
        ("kulkarni(width=2)", 1 / 16, 0.013889, 0.024691, 2, -1 / 8),
        ("kulkarni(width=4)", 0.191406, 0.026083, 0.029676, 50, -3.125),
        ("kulkarni", 0.467300, 0.03255, 0.032805, 14450, -903.125),
    ],
)
def test_kulkarni_sizes(spec: str, ep: float, mred_all: float, mred: float, wce: int, bias: float) -> None:
    found = profile(units.get(spec))
    assert found.error_probability == pytest.approx(ep, abs=1e-6)
    assert found.mred_all == pytest.approx(mred_all, abs=6e-6)
    assert found.mred == pytest.approx(mred, abs=1e-6)
    assert (found.wce, found.mean_error) == (wce, bias)
    assert found.wcre == pytest.approx(2 / 9)


def test_bam_worst_pair() -> None:
    # the generator's own documentation names this pair: 43 x 84 = 3440 (exact 3612)
    assert int(units.get("bam(hbl=4,vbl=4)")(43, 84)) == 3440


def test_seven_bit_truncation_follows_its_table_not_its_printed_row() -> None:
    # mul7u with six columns removed: printed MaxED 273, the released table and the closed form say 321
    found = profile(units.get("trunc(cut=6,width=7)"))
    assert found.wce == 321
    assert found.error_probability == pytest.approx(0.938, abs=5e-4)
    assert found.mae / (2**14 - 1) == pytest.approx(0.00490, abs=5e-6)


@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize(("start", "count"), [(0, 1), (0, 2), (1, 1)])
def test_perforation_nmed_closed_form(n: int, start: int, count: int) -> None:
    found = profile(units.get(f"perforation(start={start},count={count},width={n})"))
    assert found.nmed == pytest.approx(2**start * (2**count - 1) / (4 * (2**n - 1)))


def test_all_pairs_mred_scales_when_zero_is_exact() -> None:
    for spec in ("drum(k=4)", "mitchell", "roba", "trunc(cut=6)"):
        found = profile(units.get(spec))
        assert found.zero_exact
        assert found.mred_all == pytest.approx(found.mred * 65025 / 65536)


def wide(spec: str, bits: int = 16, samples: int = 400_000) -> tuple[np.ndarray, units.Multiplier]:
    """Relative errors of random pairs of leading-one-normalised wide operands."""
    generator = np.random.default_rng(7)
    a, b = generator.integers(1 << (bits - 1), 1 << bits, size=(2, samples))
    unit = units.get(f"{spec[:-1]},width={bits})" if spec.endswith(")") else f"{spec}(width={bits})")
    exact = a * b
    return (unit(a, b) - exact) / exact, unit


@pytest.mark.parametrize(
    ("spec", "bias", "mred", "std", "extreme"),
    [
        ("mitchell", -3.8488, 3.8488, 2.9379, 11.1111),
        ("roba", -0.037, 2.8866, None, 11.12),
        ("drum(k=3)", 2.0656, 11.8994, 14.7441, 56.25),
        ("drum(k=4)", 0.5196, 5.8904, 7.2568, 26.57),
        ("drum(k=6)", 0.0325, 1.4679, 1.8048, 6.35),
    ],
)
def test_wide_operands_approach_the_continuous_limits(spec: str, bias: float, mred: float, std: float | None, extreme: float) -> None:
    relative, _ = wide(spec)
    # five standard errors of a mean over 400,000 samples
    tolerance = 5 * 100 * relative.std() / math.sqrt(relative.size) + 2e-3
    assert relative.mean() * 100 == pytest.approx(bias, abs=tolerance)
    assert abs(relative).mean() * 100 == pytest.approx(mred, abs=tolerance)
    if std is not None:
        assert relative.std() * 100 == pytest.approx(std, abs=tolerance)
    assert abs(relative).max() * 100 <= extreme


@pytest.mark.parametrize(
    ("spec", "mred"),
    [
        # printed with two digits; 16 bit
        ("tosam(h=0,t=2)", "10.9"),
        ("tosam(h=0,t=3)", "7.6"),
        ("tosam(h=1,t=5)", "4.0"),
        ("tosam(h=2,t=6)", "2.1"),
        ("tosam(h=5,t=9)", "0.3"),
        ("mitchw(w=6)", "5.9"),
        ("realm(segments=16)", "0.4"),
        ("realm(segments=4,drop=9)", "1.6"),
    ],
)
def test_wide_operands_have_the_published_mean_relative_error(spec: str, mred: str) -> None:
    relative, _ = wide(spec)
    assert agree(100 * abs(relative).mean(), mred)


@pytest.mark.parametrize(("spec", "peak"), [("realm(segments=16)", "2.08"), ("realm(segments=4,drop=9)", "7.4")])
def test_realm_peaks(spec: str, peak: str) -> None:
    # random pairs come within a tenth of the printed peak and never pass it
    relative, _ = wide(spec, samples=2_000_000)
    assert float(peak) - 0.1 <= 100 * abs(relative).max() <= float(peak) + 0.005


def test_realm_bias_is_small() -> None:
    for segments in (4, 8, 16):
        relative, _ = wide(f"realm(segments={segments})")
        assert abs(100 * relative.mean()) <= 0.055


def test_realm_with_one_segment_is_mbm() -> None:
    # the ideal single factor, 0.0801, is rounded to the 5/64 that MBM uses
    assert units.get("realm(segments=1)").sha256 == units.get("mbm").sha256


def test_perforation_with_rounding_16_bits() -> None:
    # PR with k = 2, m = 4: mean relative error 0.23 % over the full range of signed operands
    generator = np.random.default_rng(11)
    a, b = generator.integers(-(1 << 15), 1 << 15, size=(2, 1_000_000))
    exact = a * b
    nonzero = exact != 0
    relative = abs(units.get("pr(k=2,m=4,width=16)")(a, b) - exact)[nonzero] / abs(exact[nonzero])
    assert agree(100 * relative.mean(), "0.23")


def test_tosam_worked_example() -> None:
    # the paper's example: 11761 x 2482, 0.99 % below the product
    product = int(units.get("tosam(h=3,t=7,width=16)")(11761, 2482))
    assert product == 28_901_376
    assert agree(100 * (product / (11761 * 2482) - 1), "-0.99")


def test_mitchell_exact_law() -> None:
    generator = np.random.default_rng(3)
    ka, kb = generator.integers(4, 12, size=(2, 2000))
    a = (1 << ka) + generator.integers(0, 1 << ka)
    b = (1 << kb) + generator.integers(0, 1 << kb)
    x, y = a / 2.0**ka - 1, b / 2.0**kb - 1
    law: Callable[..., np.ndarray] = np.where
    expected = law(x + y < 1, -x * y, -(1 - x) * (1 - y)) / ((1 + x) * (1 + y))
    measured = units.get("mitchell(width=12)")(a, b) / (a * b) - 1
    assert np.allclose(measured, expected, atol=1e-12)
