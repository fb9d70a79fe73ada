"""From cells to robust accuracies with intervals: by attack, threat and epsilon, and the worst of all attacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from inexact.metrics import PairedDifference, paired_difference, wilson
from inexact.security.adversarial._base import Attack
from inexact.security.adversarial._flags import Flags, read
from inexact.security.adversarial._networks import NAMES
from inexact.security.adversarial._settings import Cell, Settings
from inexact.security.adversarial._threats import Threat

ROUNDING = 1e-6
"""A change this much beyond epsilon, relative, is still within it: sums of squares are rounded."""

Cells = Mapping[str, Mapping[str, Any]]


@final
@dataclass(frozen=True, kw_only=True)
class Row:
    """One attack under one threat at one epsilon. robust: by network, bool [N], still right. cells: by network, what they come from."""

    attack: str
    measure: str
    needs: str
    bounded: bool
    threat: str
    epsilon: float
    robust: Mapping[str, Flags]
    cells: Mapping[str, Mapping[str, Any]]

    def share(self, network: str) -> float:
        """Robust accuracy, 0..1."""
        return float(self.robust[network].mean())


def rows(cells: Cells, settings: Settings) -> list[Row]:
    """Every attack, threat and epsilon of the settings, in their order."""
    pairs = [(attack, threat) for attack in settings.members() for threat in settings.models() if settings.run_under(attack, threat)]
    return [row for attack, threat in pairs for row in _pair(cells, settings, attack, threat)]


def _pair(cells: Cells, settings: Settings, attack: Attack, threat: Threat) -> Iterator[Row]:
    for epsilon in settings.strengths(attack):
        chosen = {
            name: cells[Cell(attack=attack.spec, epsilon=epsilon if attack.bounded else 0.0, maker=threat.maker(name)).key]
            for name in NAMES
        }
        yield Row(
            attack=attack.spec,
            measure=attack.measure,
            needs=attack.needs,
            bounded=attack.bounded,
            threat=threat.name,
            epsilon=epsilon,
            robust={name: robust(cell, name, epsilon) for name, cell in chosen.items()},
            cells=chosen,
        )


def robust(cell: Mapping[str, Any], network: str, epsilon: float) -> Flags:
    """bool [N]: images a network still gets right, or whose change is larger than epsilon."""
    right = read(cell["right"][network])
    return right if cell["epsilon"] else right | (np.array(cell["distance"]) > epsilon * (1 + ROUNDING))


def worst(found: list[Row], measure: str, epsilon: float) -> dict[str, Flags]:
    """By network, images that withstand every attack of that measure at that epsilon."""
    chosen = [row for row in found if (row.measure, row.epsilon) == (measure, epsilon)]
    return {name: np.logical_and.reduce([row.robust[name] for row in chosen]) for name in NAMES}


def withstanding(cells: Cells, settings: Settings, measure: str, epsilon: float) -> dict[str, Flags]:
    """By network, bool [N]: images that withstand every attack of a campaign of that measure at that epsilon."""
    return worst(rows(cells, settings), measure, epsilon)


def accuracy(flags: Flags) -> dict[str, Any]:
    """Robust accuracy in percent with its 95 % Wilson interval."""
    low, high = wilson(int(flags.sum()), len(flags))
    return {"robust": 100 * float(flags.mean()), "ci": [100 * low, 100 * high]}


def difference(exact: Flags, approximate: Flags) -> dict[str, Any]:
    """How much less robust the approximate network is than the exact one, in points (above zero: less), paired, 95 %."""
    found: PairedDifference = paired_difference(exact, approximate)
    return {"points": 100 * found.drop, "ci": [100 * found.low, 100 * found.high], "p_value": found.p_value}
