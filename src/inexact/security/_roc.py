"""How well a score tells two populations apart: area under the ROC curve, detection rate at a false-alarm rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from inexact.core.errors import DataError
from inexact.metrics import normal_quantile, wilson

FALSE_ALARMS = 0.05
EDGE = 1e-9


@final
@dataclass(frozen=True, kw_only=True)
class Roc:
    """auc: chance that a bad one scores above a good one, ties half. tpr: share of bad ones above the lowest threshold at which at most 5 %
    of the good ones are. With 95 % intervals (the threshold of tpr taken as given). good, bad: how many there are.
    """

    auc: float
    auc_ci: tuple[float, float]
    tpr: float
    tpr_ci: tuple[float, float]
    good: int
    bad: int

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        names = ("auc", "tpr", "good", "bad")
        return {name: getattr(self, name) for name in names} | {"auc_ci": list(self.auc_ci), "tpr_ci": list(self.tpr_ci)}


def roc(good: Sequence[float], bad: Sequence[float]) -> Roc:
    """ROC figures of scores, larger = more suspicious. Raises DataError when a population is empty.

    Reference: interval of the AUC: R. G. Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic,
    part 2", Statistics in Medicine 25, 2006, doi:10.1002/sim.2324, method 5
    """
    if not good or not bad:
        raise DataError(f"a ROC curve needs scores of both kinds, not {len(good)} good and {len(bad)} bad ones")
    right, wrong = np.asarray(good, np.float64), np.asarray(bad, np.float64)
    auc = float((wrong[:, None] > right).mean() + 0.5 * (wrong[:, None] == right).mean())
    allowed = int(FALSE_ALARMS * len(right))
    threshold = np.sort(right)[::-1][allowed]
    caught = int((wrong > threshold).sum())
    return Roc(
        auc=auc,
        auc_ci=_auc_interval(auc, len(right), len(wrong)),
        tpr=caught / len(wrong),
        tpr_ci=wilson(caught, len(wrong)),
        good=len(right),
        bad=len(wrong),
    )


def _auc_interval(auc: float, m: int, n: int) -> tuple[float, float]:
    """The values theta with |auc - theta| = z standard errors at theta."""
    from scipy import optimize

    mean, z = (m + n) / 2 - 1, normal_quantile(0.95)

    def distance(theta: float) -> float:
        factor = 1 + mean * (1 - theta) / (2 - theta) + mean * theta / (1 + theta)
        return (auc - theta) ** 2 - z**2 * theta * (1 - theta) * factor / (m * n)

    # at 0 and at 1 the equation has a root that says nothing: the interval ends at the other one
    low = 0.0 if auc == 0 else float(optimize.brentq(distance, 0.0, min(auc, 1 - EDGE)))
    high = 1.0 if auc == 1 else float(optimize.brentq(distance, max(auc, EDGE), 1.0))
    return low, high
