"""What a circuit is evolved towards: a metric to stay under, constraints, and what cells cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits._circuit import Op
from inexact.circuits.cells import Library
from inexact.core.errors import FormatError, SpecError, near

METRICS: dict[str, str] = {
    "mae": "mean absolute error, uniform operands",
    "mse": "mean squared error, uniform operands",
    "error_probability": "share of pairs with any error, uniform operands",
    "wce": "largest absolute error",
    "weighted_mae": "mean absolute error under the operands' weights",
    "weighted_mse": "mean squared error under the operands' weights",
    "rms_folded": "root mean square error that is left when the mean and what the weight tells are folded into the bias",
    "rms_column": "the same when what the activation tells is subtracted by a shared column as well",
}
"""Metrics in the order of the compiled search."""

WEIGHTED = ("weighted_mae", "weighted_mse", "rms_folded", "rms_column")

UNIT = 1 << 20
"""Sum of an operand's weights in the compiled search."""


@final
@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is bounded while cost goes down. metric: a name of `METRICS`; its bound is a target of the search.

    weight_a, weight_b: weights of the operands by bit pattern (histograms of a layer), None = uniform. zero_exact: exact whenever an
    operand is 0. wce: largest |error| allowed, None = any. bias: largest |mean error| over uniform operands, None = any.

    Raises SpecError for an unknown metric or a negative bound, FormatError for weights without a positive sum.
    """

    metric: str = "mae"
    weight_a: tuple[float, ...] | None = None
    weight_b: tuple[float, ...] | None = None
    zero_exact: bool = False
    wce: int | None = None
    bias: float | None = None

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise SpecError(
                f"no metric to evolve towards is called {self.metric!r}{near(self.metric, METRICS)} Known: {', '.join(METRICS)}"
            )
        for name in ("wce", "bias"):
            bound = getattr(self, name)
            if bound is not None and bound < 0:
                raise SpecError(f"the bound {name} must be 0 or more, not {bound}")

    def weights(self, side: int, count: int) -> NDArray[np.int64]:
        """Weights of operand a (0) or b (1) as integers that sum up to 2**20, the largest remainders rounded up."""
        given = self.weight_a if side == 0 else self.weight_b
        share = np.ones(count) if given is None else np.asarray(given, np.float64)
        if share.shape != (count,) or not np.isfinite(share).all() or share.min() < 0 or share.sum() <= 0:
            raise FormatError(f"weights of operand {'ab'[side]} must be {count} numbers >= 0 with a positive sum")
        exact = share / share.sum() * UNIT
        whole: NDArray[np.int64] = np.floor(exact).astype(np.int64)
        order = np.argsort(whole - exact, kind="stable")
        whole[order[: UNIT - int(whole.sum())]] += 1
        return whole


@final
@dataclass(frozen=True, kw_only=True)
class Costs:
    """Cost of every kind of cell, um2. source: where the figures are from."""

    by_kind: tuple[float, ...]
    source: str

    @staticmethod
    def of(library: Library) -> Costs:
        """Cell areas of a library; a kind it lacks costs what the one-to-one mapper would build it of."""
        from inexact.circuits.synthesis import cell_areas

        return Costs(by_kind=tuple(cell_areas(library)[op] for op in Op), source=f"cell areas of {library.label}")

    def scaled(self) -> NDArray[np.int64]:
        """In 1e-4 um2, as integers."""
        scaled: NDArray[np.int64] = np.array([round(cost * 1e4) for cost in self.by_kind], np.int64)
        return scaled

    def named(self) -> Mapping[str, float]:
        """By lower-case kind."""
        return {op.name.lower(): cost for op, cost in zip(Op, self.by_kind, strict=True)}
