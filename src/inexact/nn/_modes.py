"""Units with modes that are chosen weight by weight: which row of which mode's table a weight runs, as one table or a few."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.errors import PlanError
from inexact.core.workload import Coding
from inexact.nn._tables import coded_table, error_table, errors_with
from inexact.units import Multiplier, multipliers

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation
    from inexact.nn._rule import Rule

GRANULARITIES = ("uniform", "per_filter", "per_weight")
"""How many weights share a mode: all of a layer, those of an output channel, none."""

MOST_COLUMNS = 256
"""Columns of a table, whose codes are bytes."""


class Part(NamedTuple):
    """Some of a layer's products: int32 table [2**a_bits, 256], and uint8 codes into it, shaped as the weight."""

    table: Tensor
    codes: Tensor


class _Columns(NamedTuple):
    """distinct: int32 [2**a_bits, D]. place: int64 [modes * 2**b_bits], of every pair (mode, weight pattern) among them."""

    distinct: NDArray[np.int32]
    place: NDArray[np.int64]


@lru_cache(maxsize=64)
def _columns(spec: str, coding: Coding, b_bits: int) -> _Columns:
    whole = np.concatenate([coded_table(mode.spec, coding, b_bits) for mode in modes_of(spec)], axis=1)
    distinct, place = np.unique(whole, axis=1, return_inverse=True)
    return _Columns(np.ascontiguousarray(distinct), place.reshape(-1).astype(np.int64))


@lru_cache(maxsize=64)
def modal_errors(spec: str, coding: Coding, b_bits: int) -> NDArray[np.int32]:
    """int32 [2**a_bits, modes * 2**b_bits], approximate minus exact product, a block of columns for each mode."""
    return np.concatenate([error_table(mode.spec, coding, b_bits) for mode in modes_of(spec)], axis=1)


def modes_of(spec: str) -> tuple[Multiplier, ...]:
    """The units of a reconfigurable circuit in the order of their codes; none for a unit of one mode."""
    return tuple(multipliers.get(spec).modes().values())


def own_mode(spec: str) -> int:
    """The code of the mode that a spec names."""
    return [mode.spec for mode in modes_of(spec)].index(multipliers.get(spec).spec)


def first_modes(granularity: str, spec: str, weight: Tensor) -> Tensor | None:
    """uint8, shaped as the weight, or [O, 1, …] per filter: every weight in the mode that the spec names; None for layers of one mode."""
    if granularity == "uniform":
        return None
    shape = weight.shape if granularity == "per_weight" else (len(weight), *[1] * (weight.dim() - 1))
    return torch.full(tuple(shape), own_mode(spec), dtype=torch.uint8, device=weight.device)


def mode_shares(layer: Emulation) -> list[tuple[str, float]]:
    """(spec, share of the layer's weights) of the modes in use, in the order of their codes. Every weight has as many products."""
    assert isinstance(layer.modes, Tensor)
    counts = torch.bincount(layer.modes.flatten().long(), minlength=len(modes_of(layer.rule.unit.spec))).double()
    shares = (counts / counts.sum()).tolist()
    return [(mode.spec, share) for mode, share in zip(modes_of(layer.rule.unit.spec), shares, strict=True) if share]


def checked_modes(modes: Tensor, like: Tensor | None, spec: str, name: str) -> Tensor:
    """uint8. PlanError for a layer of one mode, a map of another shape than `like`, or codes that name no mode."""
    if like is None:
        raise PlanError(f"layer {name} has one mode for all its weights: give its rule modes = 'per_weight' or 'per_filter' first")
    if modes.shape != like.shape:
        raise PlanError(f"the modes of layer {name} must have the shape {list(like.shape)}, not {list(modes.shape)}")
    count = len(modes_of(spec))
    if modes.dtype.is_floating_point or not bool(((modes >= 0) & (modes < count)).all()):
        known = ", ".join(f"{code} ({mode})" for code, mode in enumerate(multipliers.get(spec).modes()))
        raise PlanError(f"the modes of layer {name} must be integers among {known}")
    return modes.to(torch.uint8)


def error_columns(rule: Rule) -> Tensor:
    """int32 [2**a_bits, N], approximate minus exact product; `answers` says which column a weight runs."""
    find = error_table if rule.modes == "uniform" else modal_errors
    return torch.from_numpy(find(rule.unit.spec, rule.coding, rule.format.b_bits))


def answers(part: Emulation, patterns: Tensor) -> Tensor:
    """int64, shaped as the weight: columns of `error_columns` for the weights' bit patterns."""
    if part.rule.modes == "uniform" or part.modes is None:
        return patterns.long()
    return part.modes.long() * (1 << part.rule.format.b_bits) + patterns.long()


def padding_errors(part: Emulation, b: Tensor) -> Tensor:
    """float64, shaped as the weight: the error of each of its codes b (or their bit patterns) with the code of zero."""
    rule, zero = part.rule, int(part.a_zero)
    patterns = b.long() & (2**rule.format.b_bits - 1)
    if rule.modes != "uniform":
        at_zero = error_columns(rule)[zero & (2**rule.format.a_bits - 1)].to(b.device)
    else:
        at_zero = torch.from_numpy(errors_with(zero, rule.unit.spec, rule.coding, rule.format.b_bits)).to(b.device)
    return at_zero[answers(part, patterns)].double()


def parts_of(part: Emulation, patterns: Tensor) -> list[Part]:
    """Tables, and codes into them, whose sums add up to those of the weights' bit patterns.

    One wherever the weights meet at most 256 answers; else each table holds a column of zeros, which the weights of the other tables run.
    """
    if part.rule.modes == "uniform":
        return [Part(part.table, patterns)]
    columns = _columns(part.rule.unit.spec, part.rule.coding, part.rule.format.b_bits)
    found = answers(part, patterns)
    used, inverse = torch.unique(torch.from_numpy(columns.place).to(found.device)[found], return_inverse=True)
    if len(used) <= MOST_COLUMNS:
        return [Part(_table(columns, used), inverse.to(torch.uint8))]
    step = MOST_COLUMNS - 1
    parts = []
    for start in range(0, len(used), step):
        inside = (inverse >= start) & (inverse < start + step)
        codes = torch.where(inside, inverse - start + 1, 0).to(torch.uint8)
        parts.append(Part(_table(columns, used[start : start + step], first=1), codes))
    return parts


def _table(columns: _Columns, used: Tensor, first: int = 0) -> Tensor:
    table = torch.zeros((len(columns.distinct), MOST_COLUMNS), dtype=torch.int32)
    table[:, first : first + len(used)] = torch.from_numpy(columns.distinct[:, used.cpu().numpy()])
    placed: Tensor = table.to(used.device)
    return placed
