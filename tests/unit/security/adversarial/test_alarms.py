"""Robust accuracies, alarms and words, from cells whose flags are given."""

from __future__ import annotations

from typing import Any

import pytest

from inexact.metrics import paired_difference, wilson
from inexact.security.adversarial import Settings, alarms
from inexact.security.adversarial._flags import read
from inexact.security.adversarial._networks import NAMES
from inexact.security.adversarial._robustness import accuracy, difference, robust, rows, worst
from inexact.security.adversarial._verdict import verdict

N = 100
SETTINGS = Settings(
    attacks=("fgsm", "pgd", "deepfool", "noise", "square"),
    threats=("exact_to_approximate", "white_box", "black_box"),
    epsilons=(0.05, 0.1),
    epsilons_l2=(1.0,),
)
LEFT = {"fgsm": (60, 40), "pgd": (50, 20), "noise": (90, 85), "square": (70, 50)}
"""Images of 100 that stay right at the two epsilons."""


def flags(count: int) -> str:
    return "1" * count + "0" * (N - count)


def cells(changes: dict[str, int] | None = None, audit: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """An unsuspicious campaign; `changes`: images left in the cells whose key contains the text."""
    source = {"absent": False, "zero": 0.0, "not_finite": 0.0, "agreement": 0.9} | (audit or {})
    found: dict[str, dict[str, Any]] = {f"audit {name}": {"sources": {"straight_through": source}, "images": 24} for name in NAMES}
    for cell in SETTINGS.cells():
        name = cell.attack.split("(")[0]
        if cell.epsilon == 1:
            left = 0
        elif name == "deepfool":
            left = 5
        else:
            left = LEFT[name][SETTINGS.epsilons.index(cell.epsilon)]
        for text, count in (changes or {}).items():
            left = count if text in cell.key else left
        right = dict.fromkeys(NAMES, flags(left))
        if cell.maker.key == "exact:straight_through" and cell.epsilon != 1:
            right["approximate"] = flags(min(N, left + 30))  # examples of another network find less
        distance = [0.5 + place / 100 for place in range(N)]
        effort = {"queries": 1.0, "backward_passes": 1.0, "seconds": 0.0, "sources": [[cell.maker.gradient, left / N]]}
        found[cell.key] = {
            "attack": cell.attack,
            "epsilon": cell.epsilon,
            "maker": cell.maker.key,
            "right": right,
            "distance": distance,
            **effort,
        }
    return found


def raised(found: dict[str, dict[str, Any]]) -> set[tuple[str, str]]:
    return {(alarm.network, alarm.name) for alarm in alarms(found, rows(found, SETTINGS)) if alarm.raised}


def test_an_unsuspicious_campaign_raises_nothing() -> None:
    assert raised(cells()) == set()
    untold = {alarm.name for alarm in alarms(cells(), rows(cells(), SETTINGS)) if alarm.raised is None}
    assert untold == {"transfer"}  # of the exact network to itself


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"pgd(loss=margin,steps=40) | 1 | approximate": 6}, "unbounded"),
        ({"pgd | 0.1 | approximate": 60, "deepfool": 5}, "single_step"),
        ({"noise | 0.05 | approximate": 20}, "noise"),
        ({"square | 0.1 | approximate": 5}, "black_box"),
        ({"pgd | 0.1 | approximate": 70, "fgsm | 0.1 | approximate": 68}, "monotone"),
        ({"deepfool | 0 | approximate": 100}, "least_change"),
    ],
)
def test_each_sign_raises_its_alarm(changes: dict[str, int], name: str) -> None:
    assert ("approximate", name) in raised(cells(changes))
    assert not {alarm for network, alarm in raised(cells(changes)) if network == "exact"}


def test_transfer_that_beats_the_white_box() -> None:
    found = cells()
    found["pgd | 0.1 | exact:straight_through"]["right"]["approximate"] = flags(2)
    assert raised(found) == {("approximate", "transfer")}


@pytest.mark.parametrize(
    ("audit", "name"),
    [
        ({"zero": 0.2}, "no_gradient"),
        ({"not_finite": 0.1}, "no_gradient"),
        ({"agreement": 0.3}, "disagreement"),
        ({"agreement": None}, "disagreement"),
    ],
)
def test_bad_gradients(audit: dict[str, Any], name: str) -> None:
    assert raised(cells(audit=audit)) == {(network, name) for network in NAMES}


def test_a_difference_within_its_interval_is_no_alarm() -> None:
    assert raised(cells({"square | 0.1 | approximate": 19})) == set()  # one image of a hundred


def test_smallest_changes_count_where_they_are_within_epsilon() -> None:
    cell = cells()["deepfool | 0 | exact:straight_through"]
    found = robust(cell, "exact", 1.0)  # wrong beyond the first 5 images, within 1.0 up to distance 0.5 + 0.50
    assert found.tolist() == [place < 5 or 0.5 + place / 100 > 1.0 for place in range(N)]


def test_accuracies_differences_and_the_worst_of_all() -> None:
    found = rows(cells({"square | 0.1 | approximate": 5}), SETTINGS)
    left = worst(found, "linf", 0.1)
    assert {name: int(kept.sum()) for name, kept in left.items()} == {"float32": 20, "exact": 20, "approximate": 5}
    low, high = wilson(20, N)
    assert accuracy(left["exact"]) == {"robust": 20.0, "ci": [100 * low, 100 * high]}
    wanted = paired_difference(read(flags(20)), read(flags(5)))
    assert difference(left["exact"], left["approximate"]) == {
        "points": pytest.approx(15),
        "ci": [100 * wanted.low, 100 * wanted.high],
        "p_value": wanted.p_value,
    }


def line(exact: int, approximate: int) -> dict[str, Any]:
    a, b = read(flags(exact)), read(flags(approximate))
    shown = {"measure": "linf", "epsilon": 0.1, "attacks": 3, "float32": accuracy(a), "exact": accuracy(a), "approximate": accuracy(b)}
    return shown | {"difference": difference(a, b)}


@pytest.mark.parametrize(
    ("exact", "approximate", "said"),
    [
        (20, 60, "the approximation is more robust by 40.0 points"),
        (60, 20, "the approximation is less robust by 40.0 points"),
        (50, 49, "no difference is shown"),
        (0, 0, "neither withstands the attacks"),
    ],
)
def test_words_follow_the_intervals(exact: int, approximate: int, said: str) -> None:
    sentences = verdict({"worst": [line(exact, approximate)], "rows": [], "alarms": []})
    assert said in sentences[0]
    assert sentences[-1] == "No alarm for masked gradients went off."


def test_a_defence_that_only_transfer_shows_is_named() -> None:
    row = line(20, 60) | {"attack": "pgd", "threat": "exact_to_approximate"}
    alarm = {"network": "approximate", "gradient": "white_box", "raised": True, "title": "noise finds more", "found": "5 % left"}
    sentences = verdict({"worst": [line(20, 19)], "rows": [row], "alarms": [alarm]})
    assert sentences[1].startswith(
        "By grey-box transfer alone (pgd, linf 0.1) the approximate network would seem more robust by 40.0 points"
    )
    assert sentences[2] == (
        "Alarm, approximate network, white_box gradients: noise finds more (5 % left). "
        "Do not believe its robust accuracy under white_box alone."
    )
