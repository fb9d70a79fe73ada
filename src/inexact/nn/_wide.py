"""Sums of products of operands too wide for a table: every product by the unit's netlist, gate by gate, or by its function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact import circuits
from inexact.units import Multiplier

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation

Integers = NDArray[np.int64]

_AT_ONCE = 1 << 20  # products


def wide_sums(layer: Emulation, a: Tensor, b: Tensor) -> Tensor:
    """`sum_k unit(a, b)` of padded activation codes and weight codes, shaped as the output: float64 integers.

    Under "sign_magnitude" weights of either sign are summed apart, as the sign comes after the product. Runs on the CPU.
    """
    unit = layer.rule.unit
    assert isinstance(unit, Multiplier)
    windows = layer.unrolled(a).to("cpu", torch.int64).numpy()  # [P, groups, K]
    weights = b.flatten(1).to("cpu", torch.int64).numpy()
    size = len(weights) // layer.contraction_groups
    parts = []
    for group in range(layer.contraction_groups):
        rows, columns = np.ascontiguousarray(windows[:, group]), weights[group * size : (group + 1) * size]
        parts.append(_signed_sums(unit, rows, columns) if layer.rule.coding == "sign_magnitude" else _sums(unit, rows, columns))
    return layer.rolled(torch.from_numpy(np.concatenate(parts, 1)).to(a.device).double(), a)


def _signed_sums(unit: Multiplier, a: Integers, b: Integers) -> Integers:
    """Sums of sign(b) unit(a, |b|): what a weight of another sign, or zero, adds to a part is what the unit makes of zero."""
    of_zero = unit(a, 0)
    total = np.zeros((len(a), len(b)), np.int64)
    for sign in (1, -1):
        part = np.maximum(sign * b, 0)
        total += sign * (_sums(unit, a, part) - (of_zero @ (part == 0).T.astype(np.int64) if of_zero.any() else 0))
    return total


def _sums(unit: Multiplier, a: Integers, b: Integers) -> Integers:
    """Sums of unit(a[m, k], b[n, k]), [M, N]."""
    circuit = unit.circuit()
    return products_by_function(unit, a, b) if circuit is None else circuits.gemm(circuit, a, b)


def products_by_function(unit: Callable[[Integers, Integers], Integers], a: Integers, b: Integers) -> Integers:
    """Sums of a function of operand values, a [M, K], b [N, K], as [M, N]; some rows at a time."""
    step = max(1, _AT_ONCE // max(1, b.size))
    parts = [unit(a[first : first + step, None], b[None]).sum(-1) for first in range(0, len(a), step)]
    return np.concatenate(parts) if parts else np.zeros((0, len(b)), np.int64)
