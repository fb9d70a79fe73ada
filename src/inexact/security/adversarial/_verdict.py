"""What a campaign says in words, made from its numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inexact.security.adversarial._networks import NAMES

Found = Mapping[str, Any]
WEAK = 5.0
"""Percent of images below which, with certainty, a network is said not to withstand."""
SINGLE = {
    "exact_to_approximate": "grey-box transfer",
    "white_box": "the straight-through white box",
    "adaptive": "the adaptive attacker",
    "black_box": "queries",
}
MEASURES = {"linf": "largest change of a pixel", "l2": "root of the sum of squares"}


def verdict(result: Found) -> list[str]:
    """Sentences: the worst of all attacks, what single threats would have suggested, the alarms. result: `report` without its verdict."""
    return [*_worst(result["worst"]), *_suggested(result), *_alarmed(result["alarms"])]


def _worst(worst: Sequence[Found]) -> list[str]:
    return [
        f"{MEASURES[line['measure']].capitalize()} {line['epsilon']:g}, "
        f"worst of {line['attacks']} attack{'' if line['attacks'] == 1 else 's'}: "
        f"{_interval(line['approximate'])} of images withstand in the approximate network, {_interval(line['exact'])} in the exact one; "
        f"{_meaning(line['difference'], line)}."
        for line in worst
    ]


def _meaning(difference: Found, line: Found) -> str:
    low, high = difference["ci"]
    less = f"{difference['points']:.1f} points [{low:.1f}, {high:.1f}]"
    if line["exact"]["ci"][1] < WEAK and line["approximate"]["ci"][1] < WEAK:
        return f"neither withstands the attacks (exact less approximate {less})"
    if high < 0:
        return f"the approximation is more robust by {-difference['points']:.1f} points [{-high:.1f}, {-low:.1f}]"
    if low > 0:
        return f"the approximation is less robust by {less}"
    return f"no difference is shown (exact less approximate {less})"


def _suggested(result: Found) -> list[str]:
    """Where one threat alone would have shown a defence that the worst of all attacks does not confirm."""
    sentences = []
    for line in result["worst"]:
        for threat, name in SINGLE.items():
            rows = [r for r in result["rows"] if (r["threat"], r["measure"], r["epsilon"]) == (threat, line["measure"], line["epsilon"])]
            apparent = [r for r in rows if r["difference"]["ci"][1] < 0]
            if apparent and line["difference"]["ci"][1] >= 0:
                best = min(apparent, key=lambda r: r["difference"]["points"])
                sentences.append(
                    f"By {name} alone ({best['attack']}, {line['measure']} {line['epsilon']:g}) the approximate network would seem more "
                    f"robust by {-best['difference']['points']:.1f} points; all attacks together do not confirm it."
                )
    return sentences


def _alarmed(alarms: Sequence[Found]) -> list[str]:
    sentences = []
    for network in NAMES:
        for gradient in ("white_box", "adaptive"):
            own = [alarm for alarm in alarms if (alarm["network"], alarm["gradient"]) == (network, gradient)]
            went_off = [alarm for alarm in own if alarm["raised"]]
            if went_off:
                said = "; ".join(f"{alarm['title']} ({alarm['found']})" for alarm in went_off)
                sentences.append(
                    f"Alarm, {network} network, {gradient} gradients: {said}. Do not believe its robust accuracy under {gradient} alone."
                )
    return sentences or ["No alarm for masked gradients went off."]


def _interval(found: Found) -> str:
    low, high = found["ci"]
    return f"{found['robust']:.1f} % [{low:.1f}, {high:.1f}]"
