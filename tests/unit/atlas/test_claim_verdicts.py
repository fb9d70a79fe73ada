"""Bands of agreement and verdicts, at their edges."""

from __future__ import annotations

import math

import pytest

from inexact.atlas.claims import Tolerance, verdict
from inexact.core.errors import ClaimError


@pytest.mark.parametrize(
    ("kind", "amount", "number", "band"),
    [
        ("absolute", 0.02, "1.47", (1.45, 1.49)),
        ("absolute", 0, "3", (3, 3)),
        ("relative", 0.1, "-50", (-55, -45)),
        ("printed", "rounded", "1.470", (1.4695, 1.4705)),
        ("printed", "rounded", "12", (11.5, 12.5)),
        ("printed", "rounded", "1.2e3", (1150, 1250)),
        ("printed", "cut", "0.46", (0.45, 0.47)),
        ("direction", "at_least", "60", (60, math.inf)),
        ("direction", "at_most", "0.5", (-math.inf, 0.5)),
    ],
)
def test_bands(kind: str, amount: float | str, number: str, band: tuple[float, float]) -> None:
    assert Tolerance.of({kind: amount}, where="here").band(number) == pytest.approx(band)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.0, 2.0, "reproduced"),  # both ends on the band's
        (1.5, 1.5, "reproduced"),
        (1.0, 1.0, "reproduced"),
        (2.0, 2.0 + 1e-10, "reproduced"),  # within rounding of binary fractions
        (2.0, 2.001, "inconclusive"),  # touches
        (0.9, 1.0, "inconclusive"),
        (0.0, 3.0, "inconclusive"),  # the band lies within
        (1.9, 2.1, "inconclusive"),
        (2.001, 2.001, "contradicted"),
        (0.5, 0.999, "contradicted"),
        (3.0, 9.0, "contradicted"),
    ],
)
def test_verdicts(low: float, high: float, expected: str) -> None:
    assert verdict(low, high, (1.0, 2.0)) == expected


def test_directions_have_one_end() -> None:
    least = Tolerance.of({"direction": "at_least"}, where="here").band("0")
    assert [verdict(low, high, least) for low, high in ((0.0, 5.0), (-0.1, 5.0), (-2.0, -1.0))] == [
        "reproduced",
        "inconclusive",
        "contradicted",
    ]


@pytest.mark.parametrize(("low", "high"), [(math.nan, 1.0), (2.0, 1.0)])
def test_intervals_must_be_some(low: float, high: float) -> None:
    with pytest.raises(ClaimError, match="a measured interval must run from its lower to its upper end"):
        verdict(low, high, (0.0, 1.0))
