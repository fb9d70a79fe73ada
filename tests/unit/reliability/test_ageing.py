"""Ageing models against published check values, and what they refuse."""

from __future__ import annotations

import math

import pytest

from inexact.core.errors import FaultError
from inexact.reliability._ageing import LongTerm, PowerLaw
from inexact.reliability._hot_carriers import HotCarriers

YEARS = (0.1, 1.0, 3.0, 10.0)


@pytest.mark.parametrize(
    ("model", "millivolts"),
    [
        (LongTerm(supply=1.1, threshold=0.3, oxide=1.2), (6.27, 9.20, 11.04, 13.50)),
        (LongTerm(supply=1.0, threshold=0.4, oxide=1.75), (3.39, 4.97, 5.97, 7.30)),
    ],
)
def test_the_long_term_model_gives_its_check_values(model: LongTerm, millivolts: tuple[float, ...]) -> None:
    # evaluated with the constants of two public implementations: 1 ns, duty 0.5, 105 C, relative permittivity 3.9
    assert [1000 * model.drift(years) for years in YEARS] == pytest.approx(millivolts, abs=0.006)


def test_the_shape_can_be_given_a_level() -> None:
    plain, scaled = LongTerm(), LongTerm(scaled_to=0.05)
    assert scaled.drift(10) == pytest.approx(0.05)
    assert scaled.drift(1) / scaled.drift(10) == pytest.approx(plain.drift(1) / plain.drift(10))
    assert scaled.drift(0) == 0.0


def test_the_power_law_is_a_power_of_stress_time() -> None:
    model = PowerLaw(ten_years=0.04)
    assert model.drift(0) == 0.0
    assert model.drift(10) == pytest.approx(0.04)
    assert model.drift(10 / 64) == pytest.approx(0.04 / 2, rel=1e-3)  # the sixth root of 64 is 2
    assert PowerLaw(ten_years=0.04, duty=0.25).drift(10) == pytest.approx(0.04 * 0.5**0.1667)
    assert PowerLaw().drift(10) == pytest.approx(0.05)


def test_hot_chips_age_faster() -> None:
    at = [PowerLaw(temperature=celsius).drift(5) for celsius in (25, 105, 125)]
    assert at[0] < at[1] < at[2]
    assert at[2] / at[1] == pytest.approx(2.71828 ** (0.05 / 8.617333e-5 * (1 / 378.15 - 1 / 398.15)), rel=1e-4)
    assert LongTerm(temperature=25).drift(5) < LongTerm(temperature=105).drift(5)


def seconds_until(drift: float, *, supply: float, kelvin: float, activity: float, hertz: float) -> float:
    """Time after which hot carriers have moved the threshold so far: the inverse form in which OldSpot codes it, in its units."""
    charge, boltzmann, joule = 1.602176634e-19, 1.380649e-23, 6.241509074e18
    thermal = boltzmann * kelvin / charge
    saturated = (supply - 0.5 + 2 * thermal) * 65 * 0.011 / (supply - 0.5 + 2 * thermal + 0.005 * 65 * 0.011)
    along, across = (supply - saturated) / 17, (supply - 0.5) / 1.8
    rate = charge / 1.92e-20 * 1.7e8 * math.sqrt(1.92e-20 * (supply - 0.5))
    hot = math.exp(-3.7 / joule / (charge * 7.8 * along))
    return float((drift / (rate * math.exp(across / 0.8) * hot)) ** (1 / 0.45) / (activity * hertz))


@pytest.mark.parametrize(("supply", "celsius", "activity", "clock"), [(1.1, 105.0, 0.1, 1.0), (1.2, 25.0, 0.5, 2.5)])
def test_hot_carriers_invert_the_published_code(supply: float, celsius: float, activity: float, clock: float) -> None:
    model = HotCarriers(supply=supply, temperature=celsius, activity=activity, clock=clock)
    for years in YEARS:
        found = seconds_until(model.drift(years), supply=supply, kelvin=celsius + 273.15, activity=activity, hertz=1e9 / clock)
        assert found == pytest.approx(years * 365.25 * 86400, rel=1e-5)


def test_hot_carriers_follow_switching() -> None:
    model = HotCarriers(scaled_to=0.02)
    assert HotCarriers().drift(10) == pytest.approx(0.00604, abs=5e-6)
    assert model.drift(0) == 0.0
    assert model.drift(10) == pytest.approx(0.02)
    assert model.drift(1) == pytest.approx(0.02 * 0.1**0.45)
    assert HotCarriers(activity=0.2).drift(3) / HotCarriers().drift(3) == pytest.approx(2**0.45)
    assert HotCarriers(supply=1.0).drift(10) < HotCarriers().drift(10) / 1000


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"activity": 0.0}, "activity must be a share of the periods above 0 and at most 1, not 0.0"),
        ({"supply": 0.5}, "a supply must be above the threshold of 0.5 V, not 0.5 V"),
        ({"supply": 0.6}, "at 0.6 V transistors do not saturate, so no carrier is hot"),
        ({"clock": 0.0}, "a clock period must be above 0 ns, not 0.0"),
        ({"scaled_to": 1.0}, r"the drift after ten years must be 0..0.5 V, not 1.0"),
        ({"temperature": 200.0}, r"a temperature must be -55..175 C, where chips work, not 200"),
    ],
)
def test_hot_carriers_need_a_chip_that_works(given: dict[str, float], said: str) -> None:
    with pytest.raises(FaultError, match=said):
        HotCarriers(**given)


@pytest.mark.parametrize("model", [PowerLaw(), LongTerm(), HotCarriers()])
@pytest.mark.parametrize("years", [-1.0, 101.0, float("nan")])
def test_ages_that_are_none_are_refused(model: PowerLaw | LongTerm | HotCarriers, years: float) -> None:
    with pytest.raises(FaultError, match=r"an age must be 0..100 years, not"):
        model.drift(years)


@pytest.mark.parametrize("kind", [PowerLaw, LongTerm])
def test_conditions_no_chip_works_in_are_refused(kind: type[PowerLaw | LongTerm]) -> None:
    with pytest.raises(FaultError, match=r"a temperature must be -55..175 C, where chips work, not 200"):
        kind(temperature=200)
    with pytest.raises(FaultError, match=r"duty must be a share of the time above 0 and at most 1, not 0"):
        kind(duty=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"supply": 0.2}, r"a supply must be above the threshold and both above 0 V, not 0.2 and 0.3"),
        ({"oxide": 0.1}, r"an oxide must be 0.5..10 nm thick, not 0.1"),
        ({"clock": 0.0}, r"a clock period must be above 0 ns, not 0.0"),
        ({"scaled_to": 1.0}, r"the drift after ten years must be 0..0.5 V, not 1.0"),
    ],
)
def test_devices_that_are_none_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(FaultError, match=message):
        LongTerm(**values)


def test_levels_and_exponents_that_are_none_are_refused() -> None:
    with pytest.raises(FaultError, match=r"the drift after ten years must be 0..0.5 V, not -0.1"):
        PowerLaw(ten_years=-0.1)
    with pytest.raises(FaultError, match=r"the exponent of time must be above 0 and at most 1, not 2"):
        PowerLaw(exponent=2)
