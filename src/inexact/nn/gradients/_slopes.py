"""Slopes of the error table of one unit under one coding, and their factors where few suffice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.workload import Coding
from inexact.nn._tables import coded_table, signed_values
from inexact.nn.gradients._base import Floats, gradients

MAX_FACTORS = 5
"""Up to so many factors the float32 products of the factors are faster than looking every slope up; docs/gradients.md."""

ROUNDING = 1e-12
"""Singular values below this share of the largest are rounding errors of float64."""


@dataclass(frozen=True)
class Slope:
    """Slope of `U(a, b) - a b` along one operand.

    table: float32 [2**a_bits, 2**b_bits] by bit patterns. rank: 0 when it is zero everywhere.
    a, b: float32 [rank, 2**a_bits] and [rank, 2**b_bits], table = sum_k a_k(a) b_k(b) to rounding; empty above MAX_FACTORS.
    """

    table: Tensor
    rank: int
    a: Tensor
    b: Tensor

    @property
    def factored(self) -> bool:
        """Whether the factors stand for the table."""
        return len(self.a) == self.rank

    def to(self, device: torch.device) -> Slope:
        """The same on another device."""
        return Slope(self.table.to(device), self.rank, self.a.to(device), self.b.to(device))


@dataclass(frozen=True)
class Slopes:
    """Slopes of the error along the activation (`a`) and along the weight (`b`)."""

    a: Slope
    b: Slope

    @property
    def vanish(self) -> bool:
        """Whether both are zero, so that the gradient is straight-through."""
        return self.a.rank == 0 and self.b.rank == 0

    def to(self, device: torch.device) -> Slopes:
        """The same on another device."""
        return Slopes(self.a.to(device), self.b.to(device))


@lru_cache(maxsize=128)
def error_slopes(gradient: str, unit: str, coding: Coding, b_bits: int, column: bytes) -> Slopes:
    """The slopes a gradient gives for a unit's table, less the slope of the exact product.

    column: int32 [2**a_bits], the activation's correction f(a), as bytes: the table that is differentiated is U(a, b) - f(a).
    """
    table = coded_table(unit, coding, b_bits).astype(np.float64)
    table = table - np.frombuffer(column, np.int32).astype(np.float64)[:, None]
    a_bits = table.shape[0].bit_length() - 1
    a, b = codes(a_bits, signed=coding == "signed"), codes(b_bits, signed=coding != "unsigned")
    rows, columns = a & (2**a_bits - 1), b & (2**b_bits - 1)
    ordered = table[np.ix_(rows, columns)]
    method, x, w = gradients.get(gradient), a.astype(np.float64), b.astype(np.float64)
    along_a = method.slope(ordered, x, w) - w[None, :]
    along_b = method.slope(np.ascontiguousarray(ordered.T), w, x).T - x[:, None]
    return Slopes(_by_pattern(along_a, a_bits, b_bits, rows, columns), _by_pattern(along_b, a_bits, b_bits, rows, columns))


def codes(bits: int, *, signed: bool) -> NDArray[np.int64]:
    """The code values a quantiser emits, ascending; two's complement leaves out the least, -2**(bits-1)."""
    return np.sort(signed_values(bits))[1:] if signed else np.arange(2**bits, dtype=np.int64)


def _by_pattern(slope: Floats, a_bits: int, b_bits: int, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Slope:
    """From values in ascending order to bit patterns; patterns no quantiser emits hold zero."""
    table = np.zeros((2**a_bits, 2**b_bits))
    table[np.ix_(rows, columns)] = slope
    u, s, v = np.linalg.svd(table)
    rank = int((s > max(s[0] * ROUNDING, np.finfo(np.float64).tiny)).sum())
    kept = rank if rank <= MAX_FACTORS else 0
    weight = np.sqrt(s[:kept])
    factors = (u[:, :kept] * weight).T, weight[:, None] * v[:kept]
    a, b = (torch.from_numpy(np.ascontiguousarray(f, dtype=np.float32)) for f in factors)
    return Slope(torch.from_numpy(table.astype(np.float32)), rank, a, b)
