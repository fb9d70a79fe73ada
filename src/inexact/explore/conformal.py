"""Split conformal prediction: an interval around a forecast that holds as often as it says, whatever the forecast is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.core.errors import DataError

FLOOR = 0.5
"""Points added to a forecast where its uncertainty is scaled: forecasts near zero are uncertain too."""


@final
@dataclass(frozen=True, kw_only=True)
class Conformal:
    """factor: what a raw forecast is multiplied by. width: half width of the interval over (`FLOOR` + forecast). level: its coverage.

    plans: how many measured drops it rests on. For plans drawn as those were, the interval covers the measured drop with a probability of
    at least `level`, and at most 1 / (half of the plans + 1) more, on average over calibrations.

    Reference: J. Lei et al., "Distribution-free predictive inference for regression", JASA 113(523) (2018),
    DOI 10.1080/01621459.2017.1307116 (split conformal, locally weighted).
    """

    factor: float
    width: float
    level: float
    plans: int

    def drop(self, raw: float) -> float:
        """The forecast drop in points, 0..100."""
        return min(100.0, self.factor * max(raw, 0.0))

    def interval(self, raw: float) -> tuple[float, float]:
        """(low, high) in points."""
        centre = self.drop(raw)
        reach = self.width * (FLOOR + centre)
        return centre - reach, centre + reach

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"factor": self.factor, "width": self.width, "level": self.level, "plans": self.plans}


def fewest_plans(level: float) -> int:
    """Plans that an interval of this level needs: every second one is a score, and the quantile must exist among those."""
    return 2 * math.ceil(level / (1 - level) - 1e-9)


def calibrate(raw: ArrayLike, drops: ArrayLike, level: float = 0.9) -> Conformal:
    """The factor from every second plan, the width from the others.

    raw: forecasts [P] in points; drops: measured on the same plans. Raises DataError for a level outside 0.5..0.99, when there are too few
    plans for it, or when the two differ in length.
    """
    forecasts, measured = np.maximum(np.asarray(raw, dtype=np.float64), 0.0), np.asarray(drops, dtype=np.float64)
    if not 0.5 <= level <= 0.99:
        raise DataError(f"the level of an interval must be 0.5..0.99, not {level:g}")
    if forecasts.shape != measured.shape or len(forecasts) < fewest_plans(level):
        raise DataError(
            f"a {100 * level:g} % interval needs forecast and measured drop of at least {fewest_plans(level)} plans, "
            f"not {len(forecasts)} and {len(measured)}; measure more plans or lower the level"
        )
    factor = _factor(forecasts[::2], measured[::2])
    centres = factor * forecasts[1::2]
    scores = np.sort(np.abs(measured[1::2] - centres) / (FLOOR + centres))
    rank = math.ceil((len(scores) + 1) * level)
    return Conformal(factor=factor, width=float(scores[rank - 1]), level=level, plans=len(forecasts))


def _factor(forecasts: NDArray[np.float64], measured: NDArray[np.float64]) -> float:
    """The factor that minimises sum |drop - factor * forecast| / (FLOOR + forecast): a weighted median of the ratios."""
    used = forecasts > 0
    if not used.any():
        return 1.0
    ratios, weights = measured[used] / forecasts[used], forecasts[used] / (FLOOR + forecasts[used])
    order = np.argsort(ratios, kind="stable")
    below = np.cumsum(weights[order])
    middle = float(ratios[order][np.searchsorted(below, below[-1] / 2)])
    return middle if middle > 0 else 1.0
