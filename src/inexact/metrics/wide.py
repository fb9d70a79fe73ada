"""Error metrics of units too wide for a truth table: over all pairs at gate level, or estimated from a stratified sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from inexact import circuits
from inexact.core.errors import SpecError
from inexact.metrics.passport import CONVENTIONS
from inexact.metrics.statistics import normal_quantile
from inexact.units import Adder, Multiplier

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Progress = Callable[[int, int], None]

EXHAUSTIVE_BITS = 24
"""Operand bits together up to which all pairs are the default: about a second."""

LIMIT_BITS = 32
"""Operand bits together up to which all pairs can be asked for: 16x16 is 4.3 billion pairs."""

NAMES = tuple(name for name in CONVENTIONS if name not in {"commutative", "monotone", "sign_symmetric", "error_rank"})
"""Metrics of a wide unit: all of a passport's but those that only a whole table tells."""

_MEANS = ("error_probability", "sum", "mae", "mse", "relative", "relative_all", "close")
_BLOCK_PAIRS = 1 << 24
_ZERO_PAIRS = 1 << 16
_LEAST = 16


@final
@dataclass(frozen=True, kw_only=True)
class WideProfile:
    """Error metrics under uniform operands, defined as in `metrics.Profile`. error = approx - exact.

    exhaustive: over all pairs; then every figure is exact but for rounding. Otherwise estimates from `pairs` drawn pairs, `intervals` holds
    95 % confidence intervals of those that have one, and wce and wcre are the largest values drawn: lower bounds.
    zero_exact: over all pairs with a zero operand (drawn ones for operands of more than 16 bits).
    """

    spec: str
    width: tuple[int, int]
    signed: bool
    exhaustive: bool
    pairs: int
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
    intervals: dict[str, tuple[float, float]]

    def metrics(self) -> dict[str, float | int | bool]:
        """All metrics by name."""
        return {name: getattr(self, name) for name in NAMES}

    def to_json(self) -> dict[str, Any]:
        """A JSON object: identity, every metric, how they were found, intervals."""
        head = {"spec": self.spec, "width": list(self.width), "signed": self.signed}
        found = {"exhaustive": self.exhaustive, "pairs": self.pairs, "intervals": {k: list(v) for k, v in self.intervals.items()}}
        return head | found | self.metrics()


def wide_profile(
    unit: Multiplier | Adder,
    *,
    exhaustive: bool | None = None,
    samples: int = 1_000_000,
    seed: int = 0,
    progress: Progress | None = None,
) -> WideProfile:
    """Error metrics of a unit of any width under uniform operands; narrow ones too.

    exhaustive: over all pairs (None: where that takes about a second, up to 24 operand bits together). Above 24 bits it needs a netlist,
    and 32 bits are the most. samples, seed: of the stratified sample otherwise, whose strata are the bit lengths of both operands, so that
    small operands, where relative errors live, are met. progress: called with (pairs done, pairs in all).
    Raises SpecError for an exhaustive run that is not possible, or fewer than 1,000 samples.
    """
    bits = sum(unit.width)
    if exhaustive is None:
        exhaustive = bits <= EXHAUSTIVE_BITS
    if not exhaustive:
        if samples < 1000:
            raise SpecError(f"samples must be at least 1000, not {samples}")
        means, errors, peaks, pairs = _sampled(unit, samples, seed, progress)
        return _profile(unit, means, peaks, pairs, errors)
    if bits > LIMIT_BITS:
        raise SpecError(f"all pairs can be tried up to {LIMIT_BITS} operand bits together, and {unit.spec} has {bits}; sample it instead")
    circuit = unit.circuit()
    if circuit is None and bits > EXHAUSTIVE_BITS:
        raise SpecError(
            f"all pairs of more than {EXHAUSTIVE_BITS} operand bits need a netlist, and {unit.spec} has none; sample it instead"
        )
    means, peaks = _called(unit, progress) if circuit is None else _simulated(unit, circuit, progress)
    return _profile(unit, means, peaks, 1 << bits, None)


def _simulated(unit: Multiplier | Adder, circuit: circuits.Circuit, progress: Progress | None) -> tuple[Floats, tuple[float, float]]:
    """Means over all pairs by the unit's gates, some rows of a at a time."""
    rows, width = 1 << unit.width[0], 1 << unit.width[1]
    step = max(1, _BLOCK_PAIRS // width)
    total, wce, wcre = np.zeros(len(_MEANS)), 0.0, 0.0
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        found = circuits.error_rows(circuit, "sum" if isinstance(unit, Adder) else "product", start=start, stop=stop)
        relative = found.relative.sum()
        sums = (found.errors, found.sum, found.sum_abs, found.sum_square)
        total += [*(part.sum() for part in sums), relative, relative + found.abs_at_zero.sum(), found.close.sum()]
        wce, wcre = max(wce, found.largest.max()), max(wcre, found.worst.max())
        if progress is not None:
            progress(stop * width, rows * width)
    return total / (rows * width), (wce, wcre)


def _called(unit: Multiplier | Adder, progress: Progress | None) -> tuple[Floats, tuple[float, float]]:
    """Means over all pairs by the unit's function, for one without a netlist."""
    a, b = unit.operand_values(0), unit.operand_values(1)
    step = max(1, (_BLOCK_PAIRS >> 4) // len(b))
    total, wce, wcre = np.zeros(len(_MEANS)), 0.0, 0.0
    for start in range(0, len(a), step):
        terms, peaks = _terms(unit, *np.broadcast_arrays(a[start : start + step, None], b[None, :]))
        total += terms.reshape(len(_MEANS), -1).sum(1)
        wce, wcre = max(wce, peaks[0]), max(wcre, peaks[1])
        if progress is not None:
            progress(min(start + step, len(a)) * len(b), len(a) * len(b))
    return total / (len(a) * len(b)), (wce, wcre)


def _terms(unit: Multiplier | Adder, a: Integers, b: Integers) -> tuple[Floats, tuple[float, float]]:
    """What is averaged, [len(_MEANS), pairs…], and the largest absolute and relative error."""
    exact = unit.exact(a, b)
    error = (unit.approx(a, b) - exact).astype(np.float64)
    size, magnitude = np.abs(error), np.abs(exact).astype(np.float64)
    counted = magnitude > 0
    relative = np.divide(size, magnitude, out=np.zeros_like(size), where=counted)
    terms = (size > 0, error, size, error**2, relative, relative + np.where(counted, 0.0, size), counted & (50 * size < magnitude))
    return np.stack([np.asarray(term, dtype=np.float64) for term in terms]), (float(size.max()), float(relative.max()))


def _sampled(
    unit: Multiplier | Adder, samples: int, seed: int, progress: Progress | None
) -> tuple[Floats, Floats, tuple[float, float], int]:
    """Stratified means, their standard errors, the largest errors met, pairs drawn."""
    random = np.random.default_rng(seed)
    strata = [_strata(unit, side) for side in (0, 1)]
    mean, variance, wce, wcre, pairs = np.zeros(len(_MEANS)), np.zeros(len(_MEANS)), 0.0, 0.0, 0
    for a_low, a_count in strata[0]:
        for b_low, b_count in strata[1]:
            share = math.ldexp(a_count, -unit.width[0]) * math.ldexp(b_count, -unit.width[1])
            count = max(_LEAST, round(share * samples))
            drawn = [
                _values(unit, side, random.integers(low, low + n, count))
                for side, (low, n) in enumerate(((a_low, a_count), (b_low, b_count)))
            ]
            terms, peaks = _terms(unit, *drawn)
            mean += share * terms.mean(1)
            variance += share**2 * terms.var(1, ddof=1) / count
            wce, wcre, pairs = max(wce, peaks[0]), max(wcre, peaks[1]), pairs + count
        if progress is not None:
            progress(min(pairs, samples), samples)
    return mean, np.sqrt(variance), (wce, wcre), pairs


def _strata(unit: Multiplier | Adder, side: int) -> list[tuple[int, int]]:
    """(first, count) of the ranks with one bit length; a rank orders values 0, 1, 2 … and, when signed, -1, -2 … after the last."""
    bits = unit.width[side] - unit.signed
    lengths = [(0, 1), *((1 << n, 1 << n) for n in range(bits))]
    if not unit.signed:
        return lengths
    negative = [((1 << bits) + (1 << n) - 1, 1 << n) for n in range(bits)]
    return [*lengths, *negative, ((2 << bits) - 1, 1)]


def _values(unit: Multiplier | Adder, side: int, ranks: Integers) -> Integers:
    half = 1 << (unit.width[side] - 1)
    return np.where(ranks < half, ranks, half - 1 - ranks) if unit.signed else ranks


def _profile(unit: Multiplier | Adder, means: Floats, peaks: tuple[float, float], pairs: int, errors: Floats | None) -> WideProfile:
    m = dict(zip(_MEANS, map(float, means), strict=True))
    counted = _nonzero_share(unit)
    normaliser = {
        "mred": counted,
        "pred_2pct": counted,
        "nmed": float(_largest_exact(unit)),
        "mae_range": 2.0 ** (unit.width[0] + 1 if isinstance(unit, Adder) else sum(unit.width)),
    }
    source = {"mred": "relative", "mred_all": "relative_all", "pred_2pct": "close", "nmed": "mae", "mae_range": "mae", "mean_error": "sum"}
    direct = ("error_probability", "mae", "mse", *source)
    values = {name: m[source.get(name, name)] / normaliser.get(name, 1.0) for name in direct}
    intervals: dict[str, tuple[float, float]] = {}
    if errors is not None:
        half = dict(zip(_MEANS, (normal_quantile(0.95) * errors).tolist(), strict=True))
        for name in direct:
            share = name in {"error_probability", "pred_2pct"}
            # where no drawn pair was an exception, at most 3 / n of all pairs are, with 95 % confidence (rule of three)
            reach = max(half[source.get(name, name)] / normaliser.get(name, 1.0), 3 / pairs if share else 0.0)
            low, high = values[name] - reach, values[name] + reach
            intervals[name] = (low if name == "mean_error" else max(low, 0.0), min(high, 1.0) if share else high)
        low, high = intervals["mse"]
        intervals["rmse"] = (math.sqrt(low), math.sqrt(high))
    return WideProfile(
        spec=unit.spec,
        width=unit.width,
        signed=unit.signed,
        exhaustive=errors is None,
        pairs=pairs,
        rmse=math.sqrt(m["mse"]),
        wce=int(peaks[0]),
        wcre=peaks[1],
        error_variance=max(m["mse"] - m["sum"] ** 2, 0.0),
        var_abs_error=max(m["mse"] - m["mae"] ** 2, 0.0),
        zero_exact=_zero_exact(unit),
        intervals=intervals,
        **values,
    )


def _nonzero_share(unit: Multiplier | Adder) -> float:
    """Share of pairs whose exact result is not 0."""
    if isinstance(unit, Multiplier):
        return (1 - 2.0 ** -unit.width[0]) * (1 - 2.0 ** -unit.width[1])
    return 1 - 2.0 ** -sum(unit.width)  # unsigned: only 0 + 0


def _largest_exact(unit: Multiplier | Adder) -> int:
    ends = [unit.operand_range(side) for side in (0, 1)]
    results = [x + y if isinstance(unit, Adder) else x * y for x in ends[0] for y in ends[1]]
    return max(map(abs, results))


def _zero_exact(unit: Multiplier | Adder) -> bool:
    for side in (0, 1):
        bits = unit.width[side]
        ranks = np.arange(1 << bits) if bits <= 16 else np.random.default_rng(0).integers(0, 1 << bits, _ZERO_PAIRS)
        other = _values(unit, side, ranks.astype(np.int64))
        pair = (other, np.zeros_like(other)) if side == 0 else (np.zeros_like(other), other)
        if bool((unit.approx(*pair) != unit.exact(*pair)).any()):
            return False
    return True
