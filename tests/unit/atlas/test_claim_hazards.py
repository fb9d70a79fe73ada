"""Checks of faults, voltages, age and attacks: what they make of measurements, and what they refuse."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

from inexact import hardware
from inexact.atlas.claims import Measured, kinds
from inexact.atlas.claims._operating import Operated, paired, saving_within
from inexact.atlas.claims._units import multiplier_of
from inexact.atlas.claims.checks import attacked, clipping_gain, stuck_bits, transferred
from inexact.core.errors import ClaimError
from inexact.metrics import paired_difference, wilson
from inexact.nn import Evaluation
from inexact.reliability.stuck_study import EXACT, Row

IMAGES = 200
FALLING = {"network": "lenet5", "data": "mnist", "rules": {"default": {"coding": "unsigned"}}}


def measured(kind: str, **parameters: object) -> Measured:
    return kinds[kind](**parameters)()


def test_a_mean_has_a_t_interval() -> None:
    found = Measured.mean([1.0, 2.0, 4.0])
    low, high = stats.t.interval(0.95, 2, loc=7 / 3, scale=stats.sem([1.0, 2.0, 4.0]))
    assert (found.value, found.low, found.high, found.n) == pytest.approx((7 / 3, low, high, 3))


def operated(*rows: tuple[float, float, float, float, float]) -> list[Operated]:
    return [Operated(voltage=v, drop=drop, low=low, high=high, saved=saved) for v, drop, low, high, saved in rows]


def test_the_lowest_voltage_that_accuracy_bears() -> None:
    points = operated((0.9, 0.1, -0.1, 0.3, 10), (0.8, 0.8, 0.4, 1.2, 20), (0.7, 1.5, 0.9, 2.1, 30), (0.6, 0.2, 0.1, 0.3, 40))
    found = saving_within(points, 1.0, "")
    # at 0.6 V all would be well, but not on the way there, unless the true drop at 0.7 V is near its lower end
    assert (found.value, found.low, found.high, found.n) == (20, 10, 40, 4)
    assert found.detail.startswith("at 0.8, +0.80 points")
    assert saving_within(points[1:], 0.1, "").value == 0
    assert "at no voltage" in saving_within(points[1:], 0.1, "").detail


def test_savings_that_fall_keep_their_interval_in_order() -> None:
    found = saving_within(operated((0.9, 0.1, 0.0, 0.2, 10), (0.8, 0.8, 0.4, 1.2, -5)), 1.0, "")
    assert (found.value, found.low, found.high) == (-5, -5, 10)


@pytest.mark.parametrize("kind", ["array_voltage", "memory_voltage"])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"voltages": (0.8, 0.9)}, "voltages must fall from the highest to the lowest, not [0.8, 0.9]"),
        ({"voltages": (0.9, 0.9)}, "voltages must fall from the highest to the lowest, not [0.9, 0.9]"),
        ({"voltages": ()}, "voltages must fall from the highest to the lowest, not []"),
        ({"voltages": (0.9, 0.8), "shows": "drop"}, "a drop is that of one voltage, not of 2"),
        ({"voltages": (0.9,), "boundary": "core"}, "boundary must be one of"),
        ({"voltages": (0.9,), "images": 10}, "images must be at least 50, not 10"),
    ],
)
def test_voltages_fall(kind: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ClaimError, match=re.escape(message)):
        kinds[kind](**FALLING, **parameters)


def test_an_evaluation_without_a_reference_is_refused() -> None:
    evaluation = Evaluation(top1=90.0, top1_ci=(89.0, 91.0), n=100, correct=np.ones(100, bool))
    with pytest.raises(ClaimError, match="an evaluation must have a reference for a paired difference"):
        paired(evaluation)


def test_a_low_supply_suffers_more_from_age() -> None:
    technology = hardware.technology("45nm")
    slower = hardware.slowdown(technology, 0.8, 0.05) / hardware.slowdown(technology, 0.8, 0.0)
    assert measured("guard_band", voltage=0.8).value == pytest.approx(100 * (slower - 1))
    assert measured("guard_band", voltage=0.8).value > measured("guard_band").value


def rows(losses: dict[tuple[str, str], int]) -> tuple[Row, ...]:
    """One row a unit without a fault, all images right, and one a (unit, bit) whose first images are lost."""

    def row(unit: str, kind: Any, site: str, lost: int) -> Row:
        right = np.arange(IMAGES) >= lost
        return Row(
            case="n:d", unit=unit, kind=kind, scope="all", site=site, value=0, images=IMAGES, correct=np.packbits(right).tobytes().hex()
        )

    healthy = [row(unit, "none", "", 0) for unit in dict.fromkeys(unit for unit, _ in losses)]
    return (*healthy, *(row(unit, "bit", bit, lost) for (unit, bit), lost in losses.items()))


def test_stuck_bits_are_compared_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    known = rows({(EXACT, "1"): 10, (EXACT, "2"): 100, ("trunc", "1"): 120, ("trunc", "2"): 150})
    monkeypatch.setattr(stuck_bits, "_rows", lambda *_: known)
    common = {"network": "n", "data": "d", "targets": ("trunc",), "images": IMAGES}
    largest = measured("stuck_bits", **common, shows="largest_loss")
    assert largest.value == 75
    bounded = measured("stuck_bits", **common, shows="largest_loss", exact_at_most=9.0)
    expected = paired_difference(np.ones(IMAGES, bool), np.arange(IMAGES) >= 120, 1 - 0.05 / 2)
    assert (bounded.value, bounded.low, bounded.high) == pytest.approx((60, 100 * expected.low, 100 * expected.high))
    assert "trunc, bit 1 at 0 in all, where the exact one loses 5.0; 2 pairs" in bounded.detail
    # (120 - 10 + 150 - 100) / 2 of 200 images
    excess = measured("stuck_bits", **common, shows="mean_excess")
    assert excess.value == pytest.approx(40)
    assert excess.low < 40 < excess.high
    assert excess.detail == "surely more in 2, less in 0 of 2 pairs, n on d"
    with pytest.raises(ClaimError, match="no fault costs the exact network at most 1 points"):
        measured("stuck_bits", **common, shows="largest_loss", exact_at_most=1.0)
    with pytest.raises(ClaimError, match="targets must hold at least one unit"):
        measured("stuck_bits", **common | {"targets": ()}, shows="mean_excess")


def test_who_withstands_is_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    flags = {name: generator.random(IMAGES) < share for name, share in (("float32", 0.7), ("exact", 0.4), ("approximate", 0.6))}
    monkeypatch.setattr(attacked, "_withstood", lambda *_: flags)
    common = {**FALLING, "attacks": ("pgd",), "threat": "white_box", "epsilon": 0.1, "images": IMAGES}
    own = int(flags["approximate"].sum())
    robust = measured("attacked", **common, shows="robust")
    assert (robust.value, robust.low, robust.high) == pytest.approx((own / 2, *(100 * end for end in wilson(own, IMAGES))))
    for shows, other in (("gain", "exact"), ("gain_over_float32", "float32")):
        expected = paired_difference(flags["approximate"], flags[other])
        assert measured("attacked", **common, shows=shows).value == pytest.approx(100 * expected.drop)
        assert measured("attacked", **common, shows=shows).value == pytest.approx((own - int(flags[other].sum())) / 2)
    with pytest.raises(ClaimError, match="attacks must hold at least one attack"):
        kinds["attacked"](**common | {"attacks": ()})


def test_attacks_of_two_measures_are_no_one_claim() -> None:
    with pytest.raises(ClaimError, match="attacks must have one measure, not l2 and linf"):
        measured("attacked", **FALLING, attacks=("pgd", "deepfool"), threat="white_box", epsilon=0.1, images=50)


def grid(lost: dict[str, list[float]]) -> dict[str, Any]:
    """One attack, a row an epsilon; excess without uncertainty."""
    found = []
    for place, exact in enumerate(lost["exact"]):
        networks: dict[str, Any] = {"exact": {"lost": exact, "excess": None}}
        for name in lost.keys() - {"exact"}:
            more = lost[name][place] - exact
            networks[name] = {"lost": lost[name][place], "excess": {"points": more, "ci": [more - 1, more + 1]}}
        found.append({"epsilon": 0.1 * (place + 1), "networks": networks})
    return {"grids": {"fgsm": found}, "confidence": 0.99}


def test_losses_beside_those_of_the_exact_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transferred, "_grid", lambda *_: grid({"exact": [0.0, 40.0], "a": [12.0, 60.0], "b": [5.0, 30.0]}))
    common = {"targets": ("a", "b"), "images": 100}
    excess = measured("transferred", **common, shows="largest_excess")
    assert (excess.value, excess.low, excess.high) == (20, 19, 21)
    assert excess.detail == "fgsm, epsilon 0.2: a loses 60 points, exact 40; 4 of them"
    loss = measured("transferred", **common, shows="largest_loss", exact_at_most=0.06)
    assert (loss.value, loss.low, loss.high) == pytest.approx((12, *(100 * end for end in wilson(12, 100, 0.99))))
    with pytest.raises(ClaimError, match="no attack takes at most -1 points from the exact network"):
        measured("transferred", **common, shows="largest_loss", exact_at_most=-1.0)
    with pytest.raises(ClaimError, match="loa must be a multiplier"):
        multiplier_of("adder:loa")


def test_the_ratio_of_two_rates() -> None:
    ratio, low, high = clipping_gain.ratio_of((60.0, 1000.0), (20.0, 1000.0))
    # risk ratio 3 with Katz' interval: log(3) -+ 1.959964 sqrt(1/60 - 1/1000 + 1/20 - 1/1000)
    half = 1.959964 * math.sqrt(1 / 60.5 + 1 / 20.5 - 2 / 1000.5)
    assert ratio == pytest.approx(60.5 / 20.5)
    assert (math.log(low), math.log(high)) == pytest.approx((math.log(ratio) - half, math.log(ratio) + half))
    assert clipping_gain.ratio_of((0.0, 100.0), (0.0, 100.0))[0] == 1


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("broken_element", {**FALLING, "elements": 1}, "elements must be at least 2 for an interval, not 1"),
        ("bit_flips", {**FALLING, "shows": "flips_to_ruin", "runs": 1}, "runs must be at least 2 for an interval, not 1"),
        ("clipping_gain", {**FALLING, "fault": "weight_flip", "count": 10}, "count must be at least 100 faults, not 10"),
        ("transferred", {"targets": (), "shows": "largest_loss"}, "targets must hold at least one unit"),
    ],
)
def test_checks_without_an_interval_are_refused(kind: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ClaimError, match=message):
        kinds[kind](**parameters)
