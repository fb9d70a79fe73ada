"""What stuck bits of products cost approximate networks beyond the exact one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, final

import numpy as np

from inexact.atlas.claims._networks import check_images
from inexact.atlas.claims._units import check_targets, multiplier_of
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.core.errors import ClaimError
from inexact.metrics import paired_difference

if TYPE_CHECKING:
    from inexact.reliability.stuck_facts import Pair
    from inexact.reliability.stuck_study import Row

SHOWS = ("largest_loss", "mean_excess")


@kinds.register("stuck_bits")
@final
@dataclass(frozen=True, kw_only=True)
class StuckBits(Check):
    """Every product bit stuck at 0 and at 1 in all multipliers of a network, and of one layer at a time, as in `inexact fault compare`.

    targets: signed 8x8 units, each in all layers; the exact one is what they are compared with. shows: largest_loss, the points that a
    fault which costs the exact network at most `exact_at_most` points costs an approximate one at most, with the interval that holds for
    all pairs together; mean_excess, points that approximate networks lose beyond the exact one on average over pairs, its 95 % interval
    over images.
    """

    network: str
    data: str
    targets: tuple[str, ...]
    shows: str
    exact_at_most: float = 100.0
    images: int = 500

    def __post_init__(self) -> None:
        check_images(self.images)
        one_of("shows", self.shows, SHOWS)
        check_targets(self.targets)

    @property
    def unit(self) -> str:
        """Points."""
        return "points"

    def measure(self) -> Measured:
        """By emulating every broken network."""
        from inexact.reliability import stuck_facts, stuck_study

        rows = _rows(f"{self.network}:{self.data}", self.targets, self.images)
        found = stuck_facts.pairs(rows, stuck_study.EXACT)
        where = f"{len(found)} pairs, {self.network} on {self.data}"
        if self.shows == "largest_loss":
            return self._largest(rows, found, where)
        counts = [sum(pair.verdict == verdict for pair in found) for verdict in ("more", "less")]
        return self._mean(rows, f"surely more in {counts[0]}, less in {counts[1]} of {where}")

    def _largest(self, rows: tuple[Row, ...], found: list[Pair], where: str) -> Measured:
        from inexact.reliability import stuck_facts

        bearable = [pair for pair in found if pair.exact_loss <= self.exact_at_most]
        if not bearable:
            raise ClaimError(f"no fault costs the exact network at most {self.exact_at_most:g} points")
        pair = max(bearable, key=lambda pair: pair.loss)
        held = {row.key: row for row in rows}
        row = held[pair.case, pair.unit, pair.kind, pair.scope, pair.site, str(pair.value), str(self.images)]
        loss = paired_difference(stuck_facts.healthy_of(held, row).right, row.right, 1 - 0.05 / len(found))
        detail = f"{pair.unit}, bit {pair.site} at {pair.value} in {pair.scope}, where the exact one loses {pair.exact_loss:.1f}; {where}"
        return Measured(value=100 * loss.drop, low=100 * loss.low, high=100 * loss.high, n=self.images, detail=detail)

    def _mean(self, rows: tuple[Row, ...], where: str) -> Measured:
        from inexact.reliability import stuck_facts, stuck_study

        held = {row.key: row for row in rows}
        excess = []
        for row in rows:
            if row.kind == "bit" and row.unit != stuck_study.EXACT:
                twin = held[row.case, stuck_study.EXACT, *row.key[2:]]
                lost = [stuck_facts.healthy_of(held, one).right.astype(np.float64) - one.right for one in (row, twin)]
                excess.append(lost[0] - lost[1])
        return Measured.mean(100 * np.mean(excess, axis=0), detail=where)


@functools.lru_cache(maxsize=2)
def _rows(case: str, targets: tuple[str, ...], images: int) -> tuple[Row, ...]:
    from inexact.reliability import stuck_study

    listed = {name: multiplier_of(name) for name in (stuck_study.EXACT, *targets)}
    settings = stuck_study.Settings(units=listed, cases=(case,), images=images, layered=len(listed), nets=0, elements=0)
    with TemporaryDirectory() as folder:
        return tuple(stuck_study.run(settings, Path(folder) / "rows.jsonl"))
