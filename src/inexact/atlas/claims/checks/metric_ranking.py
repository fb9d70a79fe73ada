"""Which of two error metrics ranks units as a network does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact import units
from inexact.atlas.claims._networks import FLOAT32, check_images, correct
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.errors import ClaimError
from inexact.metrics.passport import CONVENTIONS, profile
from inexact.metrics.ranking import FEWEST_RANKED, spearman

RESAMPLES = 2000


@kinds.register("metric_ranking")
@final
@dataclass(frozen=True, kw_only=True)
class MetricRanking(Check):
    """Spearman's rank correlation of |better| with the accuracy units cost, less that of |worse|, in size.

    better, worse: error metrics of `inexact.metrics.CONVENTIONS`. targets: units, each in every layer under `coding`. The interval is a
    95 % bootstrap over units.
    """

    network: str
    data: str
    better: str
    worse: str
    targets: tuple[str, ...]
    coding: str = "unsigned"
    images: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_images(self.images)
        if unknown := {self.better, self.worse} - CONVENTIONS.keys():
            raise ClaimError(f"metrics must be of {', '.join(CONVENTIONS)}, not {min(unknown)!r}")
        if len(self.targets) < FEWEST_RANKED:
            raise ClaimError(f"targets must hold at least {FEWEST_RANKED} units, not {len(self.targets)}")

    @property
    def unit(self) -> str:
        """A difference of correlations."""
        return "1"

    def measure(self) -> Measured:
        """On test images, raw: without correction."""
        whole = float(correct(self.network, self.data, FLOAT32, self.images).mean())
        drops: NDArray[np.float64] = np.array(
            [whole - float(correct(self.network, self.data, self._rules(spec), self.images).mean()) for spec in self.targets]
        )
        found = [profile(units.get(spec)).metrics() for spec in self.targets]
        values: NDArray[np.float64] = abs(np.array([[metrics[self.better], metrics[self.worse]] for metrics in found], dtype=np.float64))
        generator = np.random.default_rng(self.seed)
        resampled = []
        for _ in range(RESAMPLES):
            drawn = generator.integers(0, len(drops), len(drops))
            correlations = abs(spearman(values[drawn], drops[drawn]))
            if np.isfinite(correlations).all():
                resampled.append(float(correlations[0] - correlations[1]))
        first, second = abs(spearman(values, drops))
        low, high = np.percentile(resampled, [2.5, 97.5])
        detail = f"|rho| {first:.2f} and {second:.2f}, {self.network} on {self.data}"
        value = float(first - second)
        return Measured(value=value, low=min(value, float(low)), high=max(value, float(high)), n=len(drops), detail=detail)

    def _rules(self, spec: str) -> dict[str, dict[str, str]]:
        return {"default": {"multiplier": spec, "coding": self.coding}}
