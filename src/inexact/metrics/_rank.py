"""Exact rank of an integer matrix: elimination modulo two large primes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRIMES = (2147483629, 2147483587)
"""Below 2**31, so that products of residues fit 63 bits."""


def error_rank(matrix: NDArray[np.int64]) -> int:
    """Rank over the rationals of an integer matrix.

    Modulo a prime the rank can only be smaller, and is so only if the prime divides every minor of full rank; the larger of two
    primes is returned, which for tables of this size errs with negligible probability and never upwards.
    """
    if not matrix.any():
        return 0
    first = _rank_modulo(matrix, PRIMES[0])
    return first if first == min(matrix.shape) else max(first, _rank_modulo(matrix, PRIMES[1]))


def _rank_modulo(matrix: NDArray[np.int64], prime: int) -> int:
    rows = np.mod(matrix.astype(np.int64), prime)
    rank = 0
    for column in range(rows.shape[1]):
        below = rows[rank:, column]
        pivots = np.flatnonzero(below)
        if not pivots.size:
            continue
        pivot = rank + int(pivots[0])
        rows[[rank, pivot]] = rows[[pivot, rank]]
        lead = rows[rank, column:] * pow(int(rows[rank, column]), -1, prime) % prime
        rest = rank + 1 + np.flatnonzero(rows[rank + 1 :, column])
        rows[rest, column:] = (rows[rest, column:] - rows[rest, column, None] * lead % prime) % prime
        rank += 1
        if rank == rows.shape[0]:
            break
    return rank
