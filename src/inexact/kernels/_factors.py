"""Integer factors of a table, found by exact elimination; proven equal to the table before use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
PRIME = 2147483629
"""Below 2**31, so that products of residues fit 63 bits."""

SAFE = 2**31
"""Entries of factors are kept below this, so that int64 sums of their products cannot wrap."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """A table as a sum of products: `table[a, b] = offset[b] + sum_r left[r, a] * right[r, b]`.

    left: int64 [rank, codes of a]; right: int64 [rank, codes of b]; offset: int64 [codes of b]. Rows and columns are indexed by bit
    pattern. `table()` multiplies them out, and no engine uses them before that equals the unit's table.
    """

    left: Integers
    right: Integers
    offset: Integers

    @property
    def rank(self) -> int:
        """Number of products."""
        return len(self.left)

    def table(self) -> Integers:
        """int64 [codes of a, codes of b]."""
        return np.asarray(self.left.T @ self.right + self.offset, dtype=np.int64)


def find(table: Integers, most: int) -> Factors | None:
    """Factors of least rank, at most `most`; None when the rank is higher or the factors would be too large to be of use.

    A constant in `a` costs an engine nothing, so the first row is taken off as the offset. The columns of what remains generate a
    lattice; `left` is a reduced basis of it, so `right`, the coordinates of the columns, are integers too.
    """
    offset = table[0].copy()
    rest = table - offset
    if _rank_exceeds(rest, most):
        return None
    left = np.zeros((0, len(table)), np.int64)
    columns = np.unique(rest, axis=1).T
    for _ in range(8 * most + 8):  # each round at least halves the index of the lattice so far, or adds a dimension
        missing = columns - _coordinates(left, columns) @ left
        sizes = np.abs(missing).max(1, initial=0)
        if not sizes.any():
            break
        shortest = missing[np.argmin(np.where(sizes > 0, sizes, np.iinfo(np.int64).max))]
        left = _shortened(np.vstack([left, shortest]))[0]
    found = Factors(left=left, right=_coordinates(left, rest.T).T, offset=offset)
    return found if np.array_equal(found.table(), table) else None


def _coordinates(basis: Integers, vectors: Integers) -> Integers:
    """Integers [vectors, basis] whose combinations come nearest to `vectors`; exact for members of the lattice."""
    lengths = basis.astype(np.float64)
    solved = np.linalg.solve(lengths @ lengths.T, lengths @ vectors.T.astype(np.float64)).T
    return np.asarray(np.rint(solved), dtype=np.int64)


def _rank_exceeds(matrix: Integers, most: int) -> bool:
    """Whether the rank modulo a prime, and so over the rationals, is above `most`."""
    rest = np.mod(matrix, PRIME)
    for _ in range(most + 1):
        rows, columns = np.nonzero(rest)
        if not rows.size:
            return False
        lead = rest[rows[0]] * pow(int(rest[rows[0], columns[0]]), -1, PRIME) % PRIME
        rest = (rest - rest[:, columns[0], None] * lead % PRIME) % PRIME
    return True


def reduce(factors: Factors, *, side: str) -> Factors:
    """The same table by shorter factors: `left` (about its mean, since constants cost nothing) or `right` is lattice-reduced."""
    if side == "left":
        left, right = _shortened(factors.left, factors.right, centre=True)
    else:
        right, left = _shortened(factors.right, factors.left)
    if max(np.abs(left).max(initial=0), np.abs(right).max(initial=0)) >= SAFE:
        return factors
    return Factors(left=left, right=right, offset=factors.offset)


def _shortened(vectors: Integers, duals: Integers | None = None, *, centre: bool = False) -> tuple[Integers, Integers]:
    """LLL-reduced `vectors` (rows), without those that become zero, and `duals` so changed that sum_r vectors[r] x duals[r] is the same.

    centre: lengths are measured about the mean.
    """
    first = vectors.copy()
    second = np.zeros_like(first) if duals is None else duals.copy()
    k = 1
    for _ in range(1000):
        if k >= len(first):
            break
        lengths = first - first.mean(1, keepdims=True) if centre else first.astype(np.float64)
        upper = np.asarray(np.linalg.qr(lengths.T, mode="r"))
        for j in range(k - 1, -1, -1):
            q = round(float(upper[j, k] / upper[j, j])) if abs(upper[j, j]) > 1e-6 else 0
            if q:
                first[k] -= q * first[j]
                second[j] += q * second[k]
                upper[:, k] -= q * upper[:, j]
        if not first[k].any():
            first, second = np.delete(first, k, 0), np.delete(second, k, 0)
            k = max(1, k - 1)
        elif upper[k, k] ** 2 + upper[k - 1, k] ** 2 < 0.75 * upper[k - 1, k - 1] ** 2:
            first[[k - 1, k]], second[[k - 1, k]] = first[[k, k - 1]], second[[k, k - 1]]
            k = max(1, k - 1)
        else:
            k += 1
    return first[first.any(1)], second[first.any(1)]
