"""How few flipped weight bits ruin a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import check_images, emulated
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.core.errors import ClaimError


@kinds.register("bit_flips")
@final
@dataclass(frozen=True, kw_only=True)
class BitFlips(Check):
    """Flips of stored weight bits, found by gradients on `batch` validation images (progressive bit search), or drawn at random.

    shows: flips_to_ruin, until top-1 is at most one point above the best single answer for all images; random_drop, points lost by `flips`
    random flips. Mean over `runs` batches or draws with its 95 % t interval, on the first `images` test images.
    """

    network: str
    data: str
    rules: dict[str, Any]
    shows: str
    flips: int = 50
    batch: int = 128
    runs: int = 5
    images: int = 1000

    def __post_init__(self) -> None:
        check_images(self.images)
        one_of("shows", self.shows, ("flips_to_ruin", "random_drop"))
        if self.runs < 2:
            raise ClaimError(f"runs must be at least 2 for an interval, not {self.runs}")

    @property
    def unit(self) -> str:
        """Flips, or points."""
        return "flips" if self.shows == "flips_to_ruin" else "points"

    def measure(self) -> Measured:
        """By flipping bits of the emulated network."""
        from inexact import zoo
        from inexact.security.bit_flip import attack_batch, judge_on, progressive_bit_search, random_flips, ruined

        test, net = zoo.data(self.data, "test", self.images), emulated(self.network, self.data, self.rules)
        judge, where = judge_on(test), f"{self.network} on {self.data}"
        if self.shows == "random_drop":
            drawn = [random_flips(net, judge, flips=self.flips, seed=seed, every=self.flips) for seed in range(self.runs)]
            return Measured.mean([run.top1[0] - run.top1[-1] for run in drawn], detail=f"{self.flips} random flips, {where}")
        limit, held = ruined(test), zoo.data(self.data, "validation")
        needed = []
        for seed in range(self.runs):
            batch = attack_batch(held, self.batch, seed)
            count = progressive_bit_search(net, batch, judge, flips=self.flips, enough=limit).needed(limit)
            if count is None:
                raise ClaimError(f"every attack must ruin the network within {self.flips} flips, but one of {where} did not: raise flips")
            needed.append(count)
        return Measured.mean(needed, detail=f"{', '.join(map(str, needed))} flips bring it to {limit:.1f} %, {where}")
