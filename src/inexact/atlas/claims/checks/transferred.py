"""What attacks made on the exact network take from approximate ones."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import CALIBRATION, check_images, trained
from inexact.atlas.claims._units import check_targets, multiplier_of
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.core.errors import ClaimError

SHOWS = ("largest_loss", "largest_excess")


@kinds.register("transferred")
@final
@dataclass(frozen=True, kw_only=True)
class Transferred(Check):
    """Attacks on the exact 8-bit network, run on networks of signed 8x8 `targets`, as in `inexact attack paper siddique2022adv`.

    shows: largest_loss, the most points that an attack of one epsilon which takes at most `exact_at_most` points from the exact network
    takes from an approximate one; largest_excess, the most points by which one loses more than the exact network, paired. The interval
    holds for all attacks, epsilons and units together.
    """

    targets: tuple[str, ...]
    shows: str
    exact_at_most: float = 100.0
    images: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        check_images(self.images)
        one_of("shows", self.shows, SHOWS)
        check_targets(self.targets)

    @property
    def unit(self) -> str:
        """Points."""
        return "points"

    def measure(self) -> Measured:
        """By attacking."""
        from inexact.metrics import wilson

        found = _grid(self.targets, self.images, self.seed)
        cells = [
            (float(row["networks"][name]["lost"]), row["networks"][name]["excess"], name, spec, row["epsilon"], exact)
            for spec, rows in found["grids"].items()
            for row in rows
            for name in self.targets
            if (exact := float(row["networks"]["exact"]["lost"])) <= self.exact_at_most
        ]
        if not cells:
            raise ClaimError(f"no attack takes at most {self.exact_at_most:g} points from the exact network")
        by = 0 if self.shows == "largest_loss" else 1
        lost, excess, name, spec, epsilon, exact = max(cells, key=lambda cell: cell[0] if by == 0 else float(cell[1]["points"]))
        detail = f"{spec}, epsilon {epsilon:g}: {name} loses {lost:.0f} points, exact {exact:.0f}; {len(cells)} of them"
        if self.shows == "largest_excess":
            low, high = excess["ci"]
            return Measured(value=excess["points"], low=low, high=high, n=self.images, detail=detail)
        low, high = wilson(round(lost * self.images / 100), self.images, found["confidence"])
        return Measured(value=lost, low=100 * low, high=100 * high, n=self.images, detail=detail)


@functools.lru_cache(maxsize=2)
def _grid(targets: tuple[str, ...], images: int, seed: int) -> dict[str, Any]:
    from inexact import nn, zoo
    from inexact.security import adversarial
    from inexact.security.adversarial import transfer_grid as paper

    model, seen = trained(paper.NETWORK, paper.DATA), zoo.data(paper.DATA, "validation", CALIBRATION)
    exact = nn.approximate(model, nn.Plan(coding="signed"), calibrate=seen)
    approximate = {
        name: nn.approximate(model, nn.Plan(multiplier=multiplier_of(name), coding="signed"), calibrate=seen) for name in targets
    }
    return paper.grid(exact, approximate, adversarial.images_of(zoo.data(paper.DATA, "test", images)), seed=seed)
