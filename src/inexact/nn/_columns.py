"""Correction columns: how many a rule's recovery plans, their buffers in a layer, and what they take off its sums."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from inexact.core.registry import calls_of
from inexact.nn._rule import Rule

COLUMNS, COEFFICIENT_BITS = 1, 8
"""Columns with coefficients of a `control_variate`, and the bits of a coefficient, where its spec does not say."""


class Columns(NamedTuple):
    """What a recovery asks of the array. shared: a column that every output subtracts. factors: columns that every output subtracts times a
    coefficient of its own, of `bits` bits."""

    shared: bool
    factors: int
    bits: int


def planned_columns(recovery: str) -> Columns:
    """The columns of a recovery's spec."""
    found = Columns(shared=False, factors=0, bits=0)
    for call in calls_of(recovery):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        values = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
        if name == "shared_column":
            found = found._replace(shared=True)
        elif name == "control_variate":
            columns, bits = values.get("columns", COLUMNS), values.get("bits", COEFFICIENT_BITS)
            if isinstance(columns, int) and isinstance(bits, int):
                found = found._replace(factors=columns, bits=bits)
    return found


class WithColumns(Protocol):
    """An emulated layer or product."""

    rule: Rule
    has_column: bool
    has_control: bool
    control_coefficients: Tensor


def used_columns(layer: WithColumns) -> Columns:
    """Those that are not zero."""
    used = int(layer.control_coefficients.any(0).sum()) if layer.has_control else 0
    return Columns(shared=layer.has_column, factors=used, bits=planned_columns(layer.rule.recovery).bits if used else 0)


def add_columns(layer: Any, factors: int, channels: int, a_bits: int) -> None:
    """Give a layer buffers for `factors` columns with coefficients, all zero; none for 0."""
    layer.has_control = factors > 0
    shapes = {"control_tables": (factors, 2**a_bits), "control_coefficients": (channels, factors), "control_shift": ()}
    for name, shape in shapes.items():
        kind = torch.int64 if name == "control_shift" else torch.int32
        layer.register_buffer(name, torch.zeros(shape, dtype=kind, device=layer.fold.device) if factors else None)


def set_columns(layer: Any, factors: Tensor | None, coefficients: Tensor | None, shift: int) -> None:
    """Install columns with coefficients in place of those before."""
    add_columns(layer, 0 if factors is None else len(factors), layer.fold.shape[0], layer.rule.format.a_bits)
    if factors is not None and coefficients is not None:
        layer.control_tables.copy_(factors)
        layer.control_coefficients.copy_(coefficients)
        layer.control_shift.fill_(shift)


def columns_are_outputs(layer: Any, factors: Tensor) -> bool:
    """Whether the window sums of columns are those of extra output channels, whose weights all have the code of their column: one group,
    padding that is multiplied, exact sums, and no sum beyond int32."""
    plain = layer.contraction_groups == 1 and not layer.skips_padding and layer.rule.sums is None
    return plain and int(factors.abs().max()) * layer.weight[0].numel() < 2**31


def sums_as_outputs(layer: Any, a: Tensor, factors: Tensor) -> list[Tensor]:
    """float64 integers, the window sums of each column over uint8 patterns a, from a table whose column r is the r-th factor."""
    weight, (count, size) = layer.weight, factors.shape
    table = torch.zeros(256, 256, dtype=torch.int32, device=weight.device)
    table[:size, :count] = factors.T
    codes = torch.arange(count, dtype=torch.uint8, device=weight.device).reshape(-1, *[1] * (weight.dim() - 1))
    sums = layer.table_sums(a, codes.expand(count, *weight.shape[1:]).contiguous(), table).double()
    return list(torch.split(sums, 1, dim=1 if layer.has_image else -1))


def weighted_columns(sums: list[Tensor], coefficients: list[Tensor], shift: int) -> Tensor:
    """float64 integers, `(sum_r c_r S_r + half) >> shift`. sums: of each column, float64 integers; coefficients: broadcastable to them."""
    total = sums[0] * coefficients[0].double()
    for column, coefficient in zip(sums[1:], coefficients[1:], strict=True):
        total.addcmul_(column, coefficient.double())
    return total.add_(2.0 ** (shift - 1)).mul_(2.0**-shift).floor_() if shift else total
