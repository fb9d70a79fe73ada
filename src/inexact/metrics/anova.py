"""What of a unit's error a correction removes for nothing: the error table split into mean, weight part, activation part and the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.metrics.passport import operand_weights
from inexact.units import Multiplier

Floats = NDArray[np.float64]

ANOVA_CONVENTIONS: dict[str, str] = {
    "mean": "mu, the mean error; a bias removes it",
    "std_weight": "standard deviation of g(b), what the weight alone tells; a bias removes it too, since weights are known",
    "std_activation": "standard deviation of f(a), what the activation alone tells; one extra column of the array removes it",
    "std_interaction": "standard deviation of h(a, b), what neither removes",
    "rms_raw": "root mean square error of one product",
    "rms_folded": "the same after mu and g(b) are folded into the bias",
    "rms_column": "the same after the shared column f(a) as well",
}
"""What each figure means, in one line."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Anova:
    """error(a, b) = mu + f(a) + g(b) + h(a, b) of a multiplier, a and b independent; f, g and h have mean zero.

    mean: mu. activation: f, float64 [2**wa], weight: g, float64 [2**wb], by bit pattern. std_*: their standard deviations and that of
    h, output units. The four parts add up: rms_raw**2 = mean**2 + std_weight**2 + std_activation**2 + std_interaction**2.

    Reference: R. A. Fisher's two-way analysis of variance, on a full table of known distribution.
    """

    spec: str
    mean: float
    activation: Floats
    weight: Floats
    std_weight: float
    std_activation: float
    std_interaction: float

    @property
    def rms_raw(self) -> float:
        """Root mean square error of one product."""
        return math.hypot(self.mean, self.std_weight, self.rms_folded)

    @property
    def rms_folded(self) -> float:
        """The same once mu and g(b) are in the bias."""
        return math.hypot(self.std_activation, self.std_interaction)

    @property
    def rms_column(self) -> float:
        """The same once f(a) is subtracted as well."""
        return self.std_interaction

    def of_sum(self, terms: int) -> tuple[float, float, float]:
        """RMS error of a sum of `terms` products of independent operands: raw, folded, with the shared column; output units.

        The mean adds up, everything else grows with the root. Activations of one window are correlated in a network, so the first two
        are lower bounds there.
        """
        random = math.sqrt(terms)
        raw = math.hypot(terms * self.mean, random * math.hypot(self.std_weight, self.rms_folded))
        return raw, random * self.rms_folded, random * self.rms_column

    def figures(self) -> dict[str, float]:
        """The figures by name, as in `ANOVA_CONVENTIONS`."""
        return {name: float(getattr(self, name)) for name in ANOVA_CONVENTIONS}

    def to_json(self) -> dict[str, Any]:
        """A JSON object: spec and the figures."""
        return {"spec": self.spec} | self.figures()


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class WeightMoments:
    """Mean and population variance of the error for each weight b, over the activations; float64 [2**wb], index = bit pattern."""

    mean: Floats
    variance: Floats

    def to_json(self) -> dict[str, list[float]]:
        """A JSON object with the two lists."""
        return {"mean": self.mean.tolist(), "variance": self.variance.tolist()}


def anova(unit: Multiplier, a: ArrayLike | None = None, b: ArrayLike | None = None) -> Anova:
    """Split a multiplier's error; a, b: operand histograms as for `profile` (None = uniform), with the same errors."""
    error, p, q = _error(unit), operand_weights("a", a, unit.width[0]), operand_weights("b", b, unit.width[1])
    by_a, by_b = error @ q, p @ error
    mean = float(p @ by_a)
    f, g = by_a - mean, by_b - mean
    rest = error - f[:, None] - g[None, :] - mean
    return Anova(
        spec=unit.spec,
        mean=mean,
        activation=f,
        weight=g,
        std_weight=math.sqrt(float(q @ g**2)),
        std_activation=math.sqrt(float(p @ f**2)),
        std_interaction=math.sqrt(float(p @ rest**2 @ q)),
    )


def weight_moments(unit: Multiplier, a: ArrayLike | None = None) -> WeightMoments:
    """Error moments per weight; a: histogram of the activations as for `profile` (None = uniform)."""
    error, p = _error(unit), operand_weights("a", a, unit.width[0])
    mean = p @ error
    return WeightMoments(mean=mean, variance=p @ (error - mean) ** 2)


def _error(unit: Multiplier) -> Floats:
    return unit.table().astype(np.float64) - unit.exact_table()
