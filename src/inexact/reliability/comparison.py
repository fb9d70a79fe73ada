"""Two campaigns beside each other: which network loses more answers to the same kinds of faults, with an interval and a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inexact.metrics import independent_difference

WORDS = {1: "more", -1: "fewer", 0: "not told apart"}
"""Of a network beside the exact one, by the sign of an interval that excludes zero."""


def compare(exact: Mapping[str, Any], other: Mapping[str, Any], *, name: str = "it") -> list[dict[str, Any]]:
    """A row for each fault that both campaigns ran, as plain JSON; none when images, confidence or mitigation differ.

    exact, other: what `Campaign.run` gives. A row: fault; exact, other: the SDC-1 rates; difference: other - exact in points with its
    interval; verdict: a word of `WORDS`; sentence, in which `name` stands for the other network. Both campaigns draw by the same seed, so
    their rates may rise and fall together; the interval is that of independent ones, which is then too wide.
    """
    if _conditions(exact) != _conditions(other):
        return []
    known = {found["fault"]: found for found in exact["faults"]}
    return [
        _row(known[found["fault"]], found, exact["settings"]["confidence"], name) for found in other["faults"] if found["fault"] in known
    ]


def _conditions(report: Mapping[str, Any]) -> tuple[Any, ...]:
    settings = report["settings"]
    return report["images"], settings["confidence"], settings["about"].get("protect")


def _row(exact: Mapping[str, Any], other: Mapping[str, Any], confidence: float, name: str) -> dict[str, Any]:
    first, second = exact["sdc1"], other["sdc1"]
    value, low, high = independent_difference((second["value"], *second["ci"]), (first["value"], *first["ci"]))
    sign = (low > 0) - (high < 0)
    said = {
        1: f"loses {value:.2f} points more answers [{low:.2f}, {high:.2f}] than the exact network",
        -1: f"loses {-value:.2f} points fewer answers [{-high:.2f}, {-low:.2f}] than the exact network",
        0: f"is not told apart from the exact network ({value:+.2f} points [{low:+.2f}, {high:+.2f}])",
    }[sign]
    return {
        "fault": other["fault"],
        "exact": first,
        "other": second,
        "difference": {"points": value, "ci": [low, high], "confidence": confidence},
        "verdict": WORDS[sign],
        "sentence": f"Under {other['fault']}, {name} {said}.",
    }
