"""The table of "Defensive Approximation" (Guesmi et al. 2021): how often attacks hit, by what the attacker knows; its claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inexact.nn import Plan, Rule
from inexact.security.adversarial._settings import Settings

NETWORK, DATA = "lenet5", "mnist"
PLAN = Plan({"type:Conv2d": Rule(precision="e4m3", multiplier="lmul(format=e4m3)")})
"""Approximate float multipliers in all convolutions, the rest in float32, nothing retrained."""
ATTACKS = ("fgsm", "pgd", "pgd(loss=margin)", "carlini_wagner", "deepfool", "hop_skip_jump(queries=500)")
THREATS = ("exact_to_approximate", "substitute", "black_box", "white_box", "adaptive")
COLUMNS = {
    "exact_to_approximate": "grey box",
    "substitute": "black box (substitute)",
    "black_box": "black box (queries)",
    "white_box": "white box",
    "adaptive": "adaptive",
}
DIFFERENCES = (
    "The paper's multiplier is a 32-bit float one with approximate adder cells in its mantissa array; here products of 8-bit floats (e4m3) "
    "are formed by one addition (L-Mul), and sums are exact.",
    "The exact network has the same 8-bit floats with exact products, so that only the multiplier differs; the paper's is float32.",
    "JSMA, the local search attack and the boundary attack of the paper are left out; the margin loss and the adaptive column are added.",
)


def settings(epsilon: float, epsilon_l2: float, seed: int) -> Settings:
    """The campaign: one epsilon of each measure."""
    return Settings(attacks=ATTACKS, threats=THREATS, epsilons=(epsilon,), epsilons_l2=(epsilon_l2,), seed=seed)


def hit_rates(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows by attack: for every column the hit rates of the exact and the approximate network, percent of the images right without attack.

    result: a campaign's report.
    """
    found = []
    for attack in dict.fromkeys(row["attack"] for row in result["rows"]):
        own = [row for row in result["rows"] if row["attack"] == attack]
        columns = {COLUMNS[row["threat"]]: {name: _hit(row, result, name) for name in ("exact", "approximate")} for row in own}
        found.append({"attack": attack, "measure": own[0]["measure"], "epsilon": own[0]["epsilon"], "columns": columns})
    return found


def _hit(row: Mapping[str, Any], result: Mapping[str, Any], name: str) -> float:
    return 100 * (1 - float(row[name]["robust"]) / float(result["clean"][name]["robust"]))


def verdicts(result: Mapping[str, Any]) -> list[dict[str, str]]:
    """The paper's two claims, judged by paired 95 % intervals of the robust accuracy left by all attacks of a kind together."""
    claims = (
        ("examples made on the exact network fool the approximate one less often", ("exact_to_approximate",)),
        ("the approximate network withstands attacks that know it better than the exact one", ("white_box", "adaptive", "black_box")),
    )
    return [_judged(claim, [line for line in result["groups"] if tuple(line["threats"]) == threats]) for claim, threats in claims]


def _judged(claim: str, lines: list[Mapping[str, Any]]) -> dict[str, str]:
    """Reproduced: the approximate network is better at some epsilon and worse at none; contradicted: the reverse.

    The float32 network is shown beside: examples that it withstands too say nothing for the approximation.
    """
    better = [line for line in lines if line["difference"]["ci"][1] < 0]
    worse = [line for line in lines if line["difference"]["ci"][0] > 0]
    word = "reproduced" if better and not worse else "contradicted" if worse and not better else "inconclusive"
    said = "; ".join(
        f"{line['measure']} {line['epsilon']:g}: {line['exact']['robust']:.1f} % of images left by exact, "
        f"{line['approximate']['robust']:.1f} % by approximate, {line['float32']['robust']:.1f} % by float32; approximate over exact "
        f"{_gain(line['difference'])}"
        for line in lines
    )
    return {"claim": claim, "verdict": word, "why": said}


def _gain(difference: Mapping[str, Any]) -> str:
    """Robust accuracy gained by the approximation, in points."""
    low, high = difference["ci"]
    return f"{-difference['points']:+.1f} points [{-high:+.1f}, {-low:+.1f}]"
