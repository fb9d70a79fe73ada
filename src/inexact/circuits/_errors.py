"""Error statistics of a circuit against the exact product or sum, for operands too wide for a table: nothing is ever stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits._circuit import Bus, Circuit
from inexact.circuits._program import compiled, core, isa, threads
from inexact.circuits._simulate import stream
from inexact.core.errors import CircuitError, DataError

Floats = NDArray[np.float64]

MAX_INPUT_BITS = 40
MAX_RESULT_BITS = 50
"""Results and their errors are exact in double precision."""

_LANES = 2048


@final
@dataclass(frozen=True, kw_only=True)
class ErrorRows:
    """Error statistics per value of operand a, in the order of its bit patterns, each over all values of b; error = approx - exact.

    With weights of b, every sum and count is weighted and the largest values look at b of positive weight only. Sums of errors and
    counts are exact; `sum_square` and `relative` are rounded, the same on every machine.
    errors: count of error != 0. sum, sum_abs, sum_square: of error, |error|, error**2. largest: largest |error|.
    relative: sum of |error|/|exact| over exact != 0; worst: the largest of them; close: count of those below 2 %.
    abs_at_zero, zeros: sum of |error|, and count, where exact = 0. weight: sum of all weights of a row (2**bits of b without weights).
    """

    errors: Floats
    sum: Floats
    sum_abs: Floats
    sum_square: Floats
    largest: Floats
    relative: Floats
    worst: Floats
    close: Floats
    abs_at_zero: Floats
    zeros: Floats
    weight: float


FIELDS = ("errors", "sum", "sum_abs", "sum_square", "largest", "relative", "worst", "close", "abs_at_zero", "zeros")
_PEAKS = (4, 6)


def error_rows(
    circuit: Circuit,
    operation: Literal["product", "sum"] = "product",
    *,
    weights: ArrayLike | None = None,
    start: int = 0,
    stop: int | None = None,
) -> ErrorRows:
    """Errors of a circuit with two operands against `a * b` or `a + b`, over all operands; rows a = start..stop (bit patterns).

    weights: of the bit patterns of b, non-negative; None = 1 each. 16x16 operands are 4.3 billion pairs: some tens of seconds.
    Raises CircuitError for other than two operands, more than 40 operand bits or 50 result bits; DataError for unusable weights.
    """
    if len(circuit.inputs) != 2 or circuit.input_bits > MAX_INPUT_BITS or circuit.output_bits > MAX_RESULT_BITS:
        limits = f"two operands of at most {MAX_INPUT_BITS} bits together and a result of at most {MAX_RESULT_BITS}"
        raise CircuitError(f"error statistics need {limits}, not {circuit!r}")
    a, b = circuit.inputs
    last = 1 << a.width if stop is None else stop
    if not 0 <= start <= last <= 1 << a.width:
        raise CircuitError(f"rows must lie within 0..{1 << a.width}, not {start}..{last}")
    share = None if weights is None else _checked(weights, b)
    out = np.empty((last - start, len(FIELDS)), np.float64)
    module = core()
    if module is not None and b.width >= 11 + b.signed:
        product = operation == "product"
        module.circuit_errors(compiled(circuit), a.width, a.signed, b.width, b.signed, product, start, share, out, threads(), isa())
    else:
        _fill(circuit, operation, share, start, out)
    weight = float(1 << b.width) if share is None else float(share.sum())
    return ErrorRows(**dict(zip(FIELDS, out.T.copy(), strict=True)), weight=weight)


def bus_values(bus: Bus) -> NDArray[np.int64]:
    """Values of a bus in the order of its bit patterns."""
    patterns = np.arange(1 << bus.width, dtype=np.int64)
    return np.where(patterns >> (bus.width - 1) == 1, patterns - (1 << bus.width), patterns) if bus.signed else patterns


def _checked(weights: ArrayLike, bus: Bus) -> Floats:
    found = np.ascontiguousarray(weights, dtype=np.float64)
    if found.shape != (1 << bus.width,):
        raise DataError(
            f"weights must have {1 << bus.width} entries, one per {bus.width}-bit pattern of {bus.name}, not shape {found.shape}"
        )
    if not np.isfinite(found).all() or (found < 0).any() or found.sum() <= 0:
        raise DataError("weights must be finite numbers >= 0 with a positive sum")
    return found


def _fill(circuit: Circuit, operation: str, weights: Floats | None, start: int, out: Floats) -> None:
    """The specification: the same sums in the same order as the compiled core, whose lanes they follow."""
    a, b = circuit.inputs
    width = 1 << b.width
    left, right = bus_values(a).astype(np.float64), bus_values(b).astype(np.float64)
    w = np.ones(width) if weights is None else weights
    rows = max(1, (1 << 20) // width)
    for first, values in stream(circuit, block=rows * width, start=start * width, stop=(start + len(out)) * width):
        row = first // width
        approx = values.reshape(-1, width).astype(np.float64)
        x = left[row : row + len(approx), None]
        exact = x * right if operation == "product" else x + right
        terms = _terms(approx - exact, np.abs(exact), w)
        for place, term in enumerate(terms):
            out[row - start : row - start + len(term), place] = term.max(1) if place in _PEAKS else _ordered_sum(term, circuit.output_bits)


def _terms(error: Floats, magnitude: Floats, w: Floats) -> tuple[Floats, ...]:
    size, counted = np.abs(error), magnitude > 0
    ratio = np.divide(size, magnitude, out=np.zeros_like(size), where=counted)
    return (
        np.where(size > 0, w, 0.0),
        w * error,
        w * size,
        w * (size * size),
        np.where(w > 0, size, 0.0),
        w * ratio,
        np.where(w > 0, ratio, 0.0),
        np.where(counted & (50 * size < magnitude), w, 0.0),
        np.where(counted, 0.0, w * size),
        np.where(counted, 0.0, np.broadcast_to(w, size.shape)),
    )


def _ordered_sum(term: Floats, output_bits: int) -> Floats:
    """Row sums: eight running sums over the lanes in the order in which the compiled core holds them."""
    count, width = term.shape
    if width % _LANES:
        return np.asarray(term.sum(1))
    bits = 32 if output_bits <= 32 else 64
    lanes = term.reshape(count, width // _LANES, _LANES // bits // 8, 8, bits).transpose(1, 4, 2, 0, 3)
    sums = np.zeros((count, 8))
    for step in lanes.reshape(-1, count, 8):
        sums += step
    return np.asarray(((sums[:, 0] + sums[:, 4]) + (sums[:, 2] + sums[:, 6])) + ((sums[:, 1] + sums[:, 5]) + (sums[:, 3] + sums[:, 7])))
