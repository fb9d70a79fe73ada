from __future__ import annotations

import pytest

from inexact.report._tables import linked
from inexact.report._values import energy, estimate, fixed, interval, number, pair, percent, points, text, with_interval


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (1234567.0, "1\u202f234\u202f567"),
        (0.012345, "0.0123"),
        (-3.14159, "\u22123.14"),
        (1.5e-7, "1.5·10⁻⁷"),
        (None, "–"),
        (100.0, "100"),
    ],
)
def test_number(value: float | None, written: str) -> None:
    assert number(value) == written


def test_fixed_never_writes_a_negative_zero() -> None:
    assert fixed(-0.001, 2) == "0.00"
    assert fixed(-0.006, 2) == "\u22120.01"


@pytest.mark.parametrize(("value", "written"), [(1.0, "1 point"), (0.5, "0.5 points"), (2.0, "2 points")])
def test_points(value: float, written: str) -> None:
    assert points(value) == written


def test_energy_takes_the_prefix_of_its_companion() -> None:
    assert energy(2.5e6) == "2.5\u202fµJ"
    assert energy(2.5e4, like=2.5e6) == "0.025\u202fµJ"
    assert energy(12.0) == "12\u202fpJ"


def test_percent_scales_a_ratio_and_its_spread_but_not_a_percentage() -> None:
    ratio = percent({"value": 0.25, "unit": "1", "source": "s", "spread": [0.2, 0.3], "verified": False})
    assert ratio is not None
    assert (ratio.value, ratio.spread, ratio.unit, ratio.verified) == (25.0, (20.0, 30.0), "%", False)
    assert percent(11.0) == estimate({"value": 11.0, "unit": "%"})


@pytest.mark.parametrize("raw", [None, True, "3", float("nan"), {"value": None}, [1]])
def test_what_is_no_number_is_missing(raw: object) -> None:
    assert estimate(raw) is None


@pytest.mark.parametrize("raw", [None, "ab", [1], [1, None], [1, 2, 3]])
def test_what_is_no_interval_is_missing(raw: object) -> None:
    assert pair(raw) is None
    assert interval(raw) == ""


def test_with_interval() -> None:
    assert with_interval(0.5, [-0.25, 1]) == "0.50 [\u22120.25, 1.00]"
    assert with_interval(None, None) == "–"


def test_text_escapes() -> None:
    assert text("<b>&") == "&lt;b&gt;&amp;"
    assert text("", "none") == "none"


def test_linked_escapes_around_addresses() -> None:
    written = linked("<x> https://example.org/a?b=1&c=2, doi: 10.1000/xyz.")
    assert written == (
        '&lt;x&gt; <a href="https://example.org/a?b=1&amp;c=2" rel="noreferrer">https://example.org/a?b=1&amp;c=2</a>, '
        '<a href="https://doi.org/10.1000/xyz" rel="noreferrer">doi: 10.1000/xyz</a>.'
    )
