"""How far a non-linear unit is from its function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inexact.units import Function

Floats = NDArray[np.float64]

FUNCTION_CONVENTIONS: dict[str, str] = {
    "max_error": "largest |error|, as a real number",
    "max_ulp": "largest |error| in units of the result's last place",
    "mae": "mean |error|",
    "rmse": "root of the mean squared error",
    "mean_error": "mean signed error approx - exact (bias)",
    "max_relative": "largest |error| / |exact| where |exact| is at least 2**-4; 0 when it nowhere is",
    "arguments": "arguments the figures are over: all the function is meant for, or the values of the sampled rows",
}
"""What each figure means, in one line."""


@dataclass(frozen=True, kw_only=True)
class FunctionProfile:
    """Error figures of a non-linear unit; definitions in `FUNCTION_CONVENTIONS`. exact is cut to the result's range, as the unit's is."""

    spec: str
    max_error: float
    max_ulp: float
    mae: float
    rmse: float
    mean_error: float
    max_relative: float
    arguments: int

    def metrics(self) -> dict[str, float | int]:
        """All figures by name."""
        return {name: getattr(self, name) for name in FUNCTION_CONVENTIONS}

    def to_json(self) -> dict[str, Any]:
        """A JSON object: spec and every figure."""
        return {"spec": self.spec} | self.metrics()


def function_profile(unit: Function, *, seed: int = 0) -> FunctionProfile:
    """Error figures over all arguments the function is meant for, each once.

    A unit that works along rows (softmax) is measured on 512 rows of 64 normal arguments with standard deviation 2, drawn with
    `seed`; its exact result is the softmax of the quantised arguments.
    """
    approx, exact = _elementwise(unit) if unit.elementwise else _rows(unit, seed)
    top = float((1 << (unit.out_width - int(unit.out_signed))) - 1) / 2.0**unit.out_fraction
    exact = np.clip(exact, -top - 2.0**-unit.out_fraction if unit.out_signed else 0.0, top)
    error = approx - exact
    size, large = np.abs(error), np.abs(exact) >= 2.0**-4
    return FunctionProfile(
        spec=unit.spec,
        max_error=float(size.max()),
        max_ulp=float(size.max()) * 2.0**unit.out_fraction,
        mae=float(size.mean()),
        rmse=float(np.sqrt((error**2).mean())),
        mean_error=float(error.mean()),
        max_relative=float((size[large] / np.abs(exact[large])).max()) if large.any() else 0.0,
        arguments=int(error.size),
    )


def _elementwise(unit: Function) -> tuple[Floats, Floats]:
    meant = unit.in_domain()
    values = unit.arguments()[meant] / 2.0**unit.fraction
    return unit.table()[meant] / 2.0**unit.out_fraction, unit.exact(values)


def _rows(unit: Function, seed: int) -> tuple[Floats, Floats]:
    codes = unit.quantise(np.random.default_rng(seed).normal(scale=2.0, size=(512, 64)))
    values = codes / 2.0**unit.fraction
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return unit(codes) / 2.0**unit.out_fraction, powers / powers.sum(axis=-1, keepdims=True)
