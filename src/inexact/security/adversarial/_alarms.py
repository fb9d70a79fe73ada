"""Alarms for masked gradients: signs that an attack failed rather than that a network withstands it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from inexact.metrics import paired_difference, wilson
from inexact.security.adversarial._base import attacks
from inexact.security.adversarial._flags import Flags
from inexact.security.adversarial._networks import NAMES
from inexact.security.adversarial._robustness import Cells, Row, robust
from inexact.security.adversarial._settings import UNBOUNDED, Cell
from inexact.security.adversarial._threats import Maker

LEAST_AGREEMENT = 0.5
"""Correlation of gradient and finite differences below which a gradient does not describe the smoothed network."""
SURVIVORS = 0.01
"""Share of images that may withstand an attack over the whole box."""

TITLES = {
    "no_gradient": "gradients that are absent, zero or no number",
    "disagreement": "gradient disagrees with finite differences of the smoothed network",
    "unbounded": "an attack over the whole box does not reach zero",
    "single_step": "many steps find less than one",
    "noise": "noise of the same size finds more",
    "black_box": "an attacker who only asks finds more",
    "transfer": "examples made on the exact network find more",
    "monotone": "a larger epsilon finds less",
    "least_change": "an attack for the smallest change never succeeds",
}


@final
@dataclass(frozen=True, kw_only=True)
class Alarm:
    """network: whose. gradient: of the attacker, "white_box" or "adaptive". raised: None when nothing was run that could tell.

    found: the numbers it rests on.
    """

    network: str
    gradient: str
    name: str
    raised: bool | None
    found: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with the title."""
        return asdict(self) | {"title": TITLES[self.name]}


def alarms(cells: Cells, found: list[Row]) -> list[Alarm]:
    """All of them, for every network and both kinds of gradients that were run.

    Reference: N. Carlini et al., On Evaluating Adversarial Robustness, 2019, arXiv 1902.06705; A. Athalye, N. Carlini, D. Wagner,
    Obfuscated Gradients Give a False Sense of Security, ICML 2018, arXiv 1802.00420
    """
    known = {row.threat for row in found}
    result = []
    for network in NAMES:
        for gradient in ("white_box", "adaptive"):
            if gradient in known:
                seen = _Seen(cells=cells, rows=found, network=network, gradient=gradient)
                result += [_alarm(seen, name) for name in CHECKS]
    return result


def _alarm(seen: _Seen, name: str) -> Alarm:
    went_off, said = CHECKS[name](seen)
    return Alarm(network=seen.network, gradient=seen.gradient, name=name, raised=went_off, found=said)


@final
@dataclass(frozen=True, kw_only=True)
class _Seen:
    cells: Cells
    rows: list[Row]
    network: str
    gradient: str

    def own(self) -> list[Row]:
        """Rows of attacks that follow gradients, under the threat in question."""
        return [row for row in self.rows if row.threat == self.gradient and row.needs == "gradients"]

    def strongest(self, rows: list[Row], measure: str, epsilon: float) -> Flags | None:
        """Images that withstand all of some rows."""
        chosen = [row.robust[self.network] for row in rows if (row.measure, row.epsilon) == (measure, epsilon)]
        return np.logical_and.reduce(chosen) if chosen else None

    def places(self) -> list[tuple[str, float]]:
        """(measure, epsilon) the gradient attacks were run at."""
        return sorted({(row.measure, row.epsilon) for row in self.own()})

    def audited(self) -> Mapping[str, Any]:
        """Sources of gradients by name: one for white_box, all for adaptive."""
        sources = self.cells[f"audit {self.network}"]["sources"]
        return {"straight_through": sources["straight_through"]} if self.gradient == "white_box" else sources

    def against(self, rivals: list[Row]) -> tuple[bool | None, str]:
        """Whether others find more than the gradient attacks, beyond the 95 % interval of the paired difference, at any epsilon."""
        said, raised = [], False
        for measure, epsilon in self.places():
            own, other = self.strongest(self.own(), measure, epsilon), self.strongest(rivals, measure, epsilon)
            if own is None or other is None:
                continue
            low = paired_difference(own, other).low
            raised = raised or low > 0
            said.append(f"{measure} {epsilon:g}: {100 * other.mean():.1f} % left against {100 * own.mean():.1f} %")
        return (raised if said else None), "; ".join(said) or "not run"


def _no_gradient(seen: _Seen) -> tuple[bool | None, str]:
    usable = {name: 1 - source["zero"] - source["not_finite"] for name, source in seen.audited().items()}
    best = max(usable, key=lambda name: usable[name])
    return usable[
        best
    ] < 1, f"{100 * usable[best]:.0f} % of {seen.cells[f'audit {seen.network}']['images']} images have a usable gradient by {best}"


def _disagreement(seen: _Seen) -> tuple[bool | None, str]:
    known = {name: source["agreement"] for name, source in seen.audited().items() if source["agreement"] is not None}
    if not known:
        return True, "no gradient to compare"
    best = max(known, key=lambda name: known[name])
    return known[best] < LEAST_AGREEMENT, f"correlation {known[best]:.2f} by {best}; at least {LEAST_AGREEMENT} is expected"


def _unbounded(seen: _Seen) -> tuple[bool | None, str]:
    maker = Maker(network=seen.network, gradient="straight_through")
    cell = seen.cells.get(Cell(attack=attacks.get(UNBOUNDED).spec, epsilon=1.0, maker=maker).key)
    if cell is None or seen.gradient == "adaptive":
        return None, "run with straight-through gradients only"
    left = robust(cell, seen.network, 1.0)
    low, _ = wilson(int(left.sum()), len(left))
    return low > SURVIVORS, f"{100 * left.mean():.1f} % left at epsilon 1"


def _single_step(seen: _Seen) -> tuple[bool | None, str]:
    steps = [row for row in seen.own() if row.attack == "fgsm"]
    many = [row for row in seen.own() if row.attack != "fgsm" and row.bounded]
    said, raised = [], False
    for row in steps:
        other = seen.strongest(many, row.measure, row.epsilon)
        if other is not None:
            raised = raised or paired_difference(other, row.robust[seen.network]).low > 0
            said.append(f"{row.epsilon:g}: {100 * row.share(seen.network):.1f} % left by one step, {100 * other.mean():.1f} % by many")
    return (raised if said else None), "; ".join(said) or "not run"


def _noise(seen: _Seen) -> tuple[bool | None, str]:
    return seen.against([row for row in seen.rows if row.needs == "nothing"])


def _black_box(seen: _Seen) -> tuple[bool | None, str]:
    return seen.against([row for row in seen.rows if row.needs in ("scores", "decisions")])


def _transfer(seen: _Seen) -> tuple[bool | None, str]:
    if seen.network == "exact":
        return None, "the examples are its own"
    return seen.against([row for row in seen.rows if row.threat == "exact_to_approximate"])


def _monotone(seen: _Seen) -> tuple[bool | None, str]:
    raised, said, compared = False, [], False
    for attack in dict.fromkeys(row.attack for row in seen.own() if row.bounded):
        ordered = sorted((row for row in seen.own() if row.attack == attack), key=lambda row: row.epsilon)
        for small, large in itertools.pairwise(ordered):
            compared = True
            if paired_difference(large.robust[seen.network], small.robust[seen.network]).low > 0:
                raised = True
                shares = (f"{100 * row.share(seen.network):.1f} % left at {row.epsilon:g}" for row in (small, large))
                said.append(f"{attack}: {', '.join(shares)}")
    return (raised if compared else None), "; ".join(said) or ("falls with epsilon" if compared else "not run")


def _least_change(seen: _Seen) -> tuple[bool | None, str]:
    rows = {row.attack: row.cells[seen.network] for row in seen.own() if not row.bounded}
    shares = {attack: _fooled(cell, seen.network) for attack, cell in rows.items()}
    said = "; ".join(f"{attack} fools it on {100 * share:.1f} % of images" for attack, share in shares.items())
    return (any(share == 0 for share in shares.values()) if shares else None), said or "not run"


def _fooled(cell: Mapping[str, Any], network: str) -> float:
    """Share of images that are wrong after a change of any size."""
    wrong = [flag == "0" and distance > 0 for flag, distance in zip(cell["right"][network], cell["distance"], strict=True)]
    return float(np.mean(wrong))


CHECKS: dict[str, Callable[[_Seen], tuple[bool | None, str]]] = {
    "no_gradient": _no_gradient,
    "disagreement": _disagreement,
    "unbounded": _unbounded,
    "single_step": _single_step,
    "noise": _noise,
    "black_box": _black_box,
    "transfer": _transfer,
    "monotone": _monotone,
    "least_change": _least_change,
}
