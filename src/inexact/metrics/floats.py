"""Error metrics of small-float multipliers: relative, as their exponents are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inexact.units import FloatMultiplier

SAMPLES = 1_000_000

FLOAT_CONVENTIONS: dict[str, str] = {
    "error_probability": "share of pairs with a finite, non-zero exact product whose product is wrong",
    "mred": "mean |error| / |exact| over these pairs",
    "wcre": "largest |error| / |exact|",
    "relative_bias": "mean error / exact, signed",
    "relative_std": "standard deviation of error / exact",
    "pairs": "pairs the figures are over",
    "exhaustive": "whether these are all pairs of codes (formats up to 8 bits), or drawn at random",
}
"""What each metric means, in one line."""


@dataclass(frozen=True, kw_only=True)
class FloatProfile:
    """Error metrics of one small-float multiplier; definitions in `FLOAT_CONVENTIONS`. Codes are uniform."""

    spec: str
    error_probability: float
    mred: float
    wcre: float
    relative_bias: float
    relative_std: float
    pairs: int
    exhaustive: bool

    def metrics(self) -> dict[str, float | int | bool]:
        """All metrics by name."""
        return {name: getattr(self, name) for name in FLOAT_CONVENTIONS}

    def to_json(self) -> dict[str, Any]:
        """A JSON object: spec and every metric."""
        return {"spec": self.spec} | self.metrics()


def float_profile(unit: FloatMultiplier, *, seed: int = 0) -> FloatProfile:
    """Error metrics over all pairs of codes, or over a million pairs drawn with `seed` for formats of more than 8 bits."""
    width = unit.layout.width
    exhaustive = width <= 8
    codes = np.arange(1 << width, dtype=np.int64)
    pairs = np.random.default_rng(seed).integers(0, 1 << width, (2, SAMPLES))
    a, b = (codes[:, None], codes[None, :]) if exhaustive else (pairs[0], pairs[1])
    approx, exact = unit(a, b), unit.exact(a, b)
    counted = np.isfinite(exact) & (exact != 0)
    relative = approx[counted] / exact[counted] - 1
    return FloatProfile(
        spec=unit.spec,
        error_probability=float((relative != 0).mean()),
        mred=float(np.abs(relative).mean()),
        wcre=float(np.abs(relative).max()),
        relative_bias=float(relative.mean()),
        relative_std=float(relative.std()),
        pairs=int(relative.size),
        exhaustive=exhaustive,
    )
