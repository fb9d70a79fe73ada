"""Sums of products through a circuit, bit-parallel: for operands too wide for a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits._circuit import MAX_OUTPUT_BITS, Circuit
from inexact.circuits._program import compiled, core, isa, threads
from inexact.circuits._simulate import check_operand, evaluate
from inexact.core.errors import CircuitError, FormatError

_BLOCK = 1 << 20


def gemm(circuit: Circuit, a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
    """out[m, n] = sum_k circuit(a[m, k], b[n, k]): integer operand VALUES a [M, K], b [N, K] -> int64 [M, N], exact.

    Every product is evaluated gate by gate, 2048 at once; the sum is carried in as many bits as it can need.
    Raises CircuitError for a circuit without two operands or when K results could exceed 64 bits, FormatError for operands that do not
    fit.
    """
    left, right = np.asarray(a), np.asarray(b)
    if len(circuit.inputs) != 2:
        raise CircuitError(f"sums of products need a circuit of two operands, not {circuit!r}")
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise FormatError(f"a matrix product needs a [M, K] and b [N, K] of equal K, not shapes {list(left.shape)} and {list(right.shape)}")
    for bus, array in zip(circuit.inputs, (left, right), strict=True):
        check_operand(circuit, bus.name, array, bus.range)
    bits = circuit.output_bits + max(left.shape[1] - 1, 0).bit_length()
    # an unsigned sum also needs a place for the sign of int64
    if bits > MAX_OUTPUT_BITS - int(not circuit.signed):
        raise CircuitError(f"{left.shape[1]} results of {circuit.output_bits} bits could exceed int64; split the sum along K")
    module = core()
    out = np.zeros((len(left), len(right)), np.int64)
    if 0 in (*out.shape, left.shape[1]):
        return out
    if module is None:
        rows = max(1, _BLOCK // right.size)
        for first in range(0, len(left), rows):
            out[first : first + rows] = evaluate(circuit, left[first : first + rows, None], right).sum(-1)
        return out
    patterns = [_patterns(array, bus.width) for array, bus in zip((left, right), circuit.inputs, strict=True)]
    module.circuit_gemm(compiled(circuit), *patterns, circuit.inputs[0].width, bits, out, threads(), isa())
    return out


def _patterns(array: NDArray[np.generic], width: int) -> NDArray[np.uint64]:
    wide = array.astype(np.int64 if array.dtype.kind == "i" else np.uint64).view(np.uint64)
    return np.ascontiguousarray(wide & np.uint64((1 << width) - 1))
