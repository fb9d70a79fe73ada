"""The passport of a unit: every error metric over all operand pairs, each with its convention named."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.core.errors import DataError
from inexact.core.notebook import as_html
from inexact.metrics._rank import error_rank
from inexact.units import Adder, Multiplier, multipliers

__all__ = ["CONVENTIONS", "Profile", "error_rank", "profile"]

Floats = NDArray[np.float64]

CONVENTIONS: dict[str, str] = {
    "error_probability": "share of pairs with error != 0",
    "mae": "mean |error| (MED), output units",
    "mse": "mean error^2",
    "rmse": "square root of mse",
    "wce": "largest |error|",
    "mred": "mean |error|/|exact| over pairs with exact != 0 (MRE)",
    "mred_all": "mean |error|/max(1, |exact|) over all pairs, 0/0 = 0",
    "wcre": "largest |error|/|exact| over pairs with exact != 0",
    "nmed": "mae / max|exact|",
    "mae_range": "mae / 2^(width_a + width_b) for multipliers, / 2^(width + 1) for adders",
    "mean_error": "mean signed error approx - exact (bias)",
    "error_variance": "population variance of the signed error",
    "var_abs_error": "population variance of |error|",
    "pred_2pct": "share of pairs with exact != 0 whose relative error is below 2 %",
    "zero_exact": "a zero operand always gives what the exact unit gives",
    "commutative": "unit(a, b) = unit(b, a) for all pairs",
    "monotone": "as one operand grows by 1, the result never moves against the exact one",
    "sign_symmetric": "unit(-a, b) = unit(a, -b) = -unit(a, b) wherever both are operands; unsigned units have no signs: yes",
    "error_rank": "rank over the rationals of the error table",
}
"""What each metric means, in one line; printed beside the number."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Error metrics of one unit; definitions in `CONVENTIONS`. error = approx - exact.

    weighted: False for uniform operands, True when operand histograms were given (they weigh every mean and share; wce and wcre then
    look at pairs that occur). wcre, mred, pred_2pct are 0, 0, 1 when no pair with exact != 0 occurs. commutative is False for
    operands of different width.
    """

    spec: str
    width: tuple[int, int]
    signed: bool
    weighted: bool
    error_probability: float
    mae: float
    mse: float
    rmse: float
    wce: int
    mred: float
    mred_all: float
    wcre: float
    nmed: float
    mae_range: float
    mean_error: float
    error_variance: float
    var_abs_error: float
    pred_2pct: float
    zero_exact: bool
    commutative: bool
    monotone: bool
    sign_symmetric: bool
    error_rank: int

    def metrics(self) -> dict[str, float | int | bool]:
        """All metrics by name."""
        return {name: getattr(self, name) for name in CONVENTIONS}

    def to_json(self) -> dict[str, Any]:
        """A JSON object: spec, width, signed, weighted and every metric."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return found | {"width": list(self.width)}

    def __str__(self) -> str:
        coding = "signed" if self.signed else "unsigned"
        operands = "the given operand histograms" if self.weighted else "uniform operands, all pairs"
        lines = [f"{self.spec}  {self.width[0]}x{self.width[1]} {coding}; {operands}; error = approx - exact"]
        lines += [f"  {name:18} {_shown(value):>14}  {CONVENTIONS[name]}" for name, value in self.metrics().items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return as_html(self)


def profile(unit: Multiplier | Adder | str, a: ArrayLike | None = None, b: ArrayLike | None = None) -> Profile:
    """All error metrics of a unit, exhaustively.

    unit: a multiplier or adder, or the spec of a multiplier.
    a, b: operand histograms over bit patterns, `2**wa` and `2**wb` non-negative weights (any scale; None = uniform); operands are
    taken as independent. Raises DataError for histograms of the wrong size, with negative or non-finite entries, or all zero, SpecError
    for operands too wide for a table.
    """
    if not isinstance(unit, Multiplier | Adder):
        unit = multipliers.get(unit)
    approx, exact = unit.table().astype(np.int64), unit.exact_table().astype(np.int64)
    p = np.outer(operand_weights("a", a, unit.width[0]), operand_weights("b", b, unit.width[1]))
    error = approx - exact
    size, magnitude = np.abs(error), np.abs(exact)
    occurs, nonzero = p > 0, exact != 0
    counted = nonzero & occurs
    share = float(p[counted].sum())
    relative = np.divide(size, magnitude, out=np.zeros(error.shape), where=nonzero)
    mean, mae, mse = _mean(p, error), _mean(p, size), _mean(p, size.astype(np.float64) ** 2)
    operands = sum(unit.width) if isinstance(unit, Multiplier) else unit.width[0] + 1
    return Profile(
        spec=unit.spec,
        width=unit.width,
        signed=unit.signed,
        weighted=a is not None or b is not None,
        error_probability=_mean(p, error != 0),
        mae=mae,
        mse=mse,
        rmse=math.sqrt(mse),
        wce=int(size[occurs].max()),
        mred=_mean(p, relative) / share if share else 0.0,
        mred_all=_mean(p, size / np.maximum(magnitude, 1)),
        wcre=float(relative[counted].max()) if counted.any() else 0.0,
        nmed=mae / float(magnitude.max()),
        mae_range=mae / 2.0**operands,
        mean_error=mean,
        error_variance=_mean(p, (error - mean) ** 2),
        var_abs_error=_mean(p, (size - mae) ** 2),
        pred_2pct=_mean(p, counted & (relative < 0.02)) / share if share else 1.0,
        zero_exact=not (error[0].any() or error[:, 0].any()),
        commutative=unit.width[0] == unit.width[1] and bool(np.array_equal(approx, approx.T)),
        monotone=_monotone(unit, approx, exact),
        sign_symmetric=not unit.signed or _sign_symmetric(approx),
        error_rank=error_rank(error),
    )


def _monotone(unit: Multiplier | Adder, approx: NDArray[np.int64], exact: NDArray[np.int64]) -> bool:
    """Along either operand, in order of value, no step of the result has the opposite sign of the exact step."""
    order = np.ix_(np.argsort(unit.operand_values(0)), np.argsort(unit.operand_values(1)))
    ours, theirs = approx[order], exact[order]
    return all(bool((np.diff(ours, axis=axis) * np.diff(theirs, axis=axis) >= 0).all()) for axis in (0, 1))


def _sign_symmetric(approx: NDArray[np.int64]) -> bool:
    """Index -i of a two's complement axis is (2**w - i) mod 2**w; the most negative operand has no opposite."""
    rows, columns = (np.delete(np.arange(size), size // 2) for size in approx.shape)
    kept, negated = approx[np.ix_(rows, columns)], (approx[np.ix_(-rows, columns)], approx[np.ix_(rows, -columns)])
    return all(bool((other == -kept).all()) for other in negated)


def _mean(p: Floats, values: NDArray[Any]) -> float:
    return float((p * values).sum())


def operand_weights(name: str, histogram: ArrayLike | None, bits: int) -> Floats:
    """Shares of the bit patterns of an operand, summing to 1; None = uniform. Raises DataError as `profile` does."""
    if histogram is None:
        return np.full(1 << bits, 1.0 / (1 << bits))
    weights = np.asarray(histogram, dtype=np.float64)
    if weights.shape != (1 << bits,):
        raise DataError(f"histogram {name} must have {1 << bits} entries, one per {bits}-bit pattern, not shape {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise DataError(f"histogram {name} must hold finite weights >= 0 with a positive sum; count operand patterns with numpy.bincount")
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _shown(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else f"{value:.6g}"
