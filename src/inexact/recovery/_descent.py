"""Coordinate descent over weight codes, exact for any table of products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.nn import ApproxLayer, Probe


@final
@dataclass(frozen=True, kw_only=True)
class Windows:
    """One layer's sampled windows and what a weight contributes to its sums.

    a: int64 [P, groups, K], bit patterns of activations. b: int64 [O, K], code values. codes: int64 [V], the codes a weight may have,
    ascending. values: float32 [2**a_bits, V], what a weight of that code adds to the sum of a window, zero-point terms included.
    fixed: bool [O, K], weights that stay.
    """

    a: Tensor
    b: Tensor
    codes: Tensor
    values: Tensor
    fixed: Tensor

    @classmethod
    def of(cls, probe: Probe, a: Tensor) -> Windows:
        """Those of a probe's layer."""
        layer = probe.layer
        assert isinstance(layer, ApproxLayer)
        codes = layer.weight_codes().to(probe.b.device)
        patterns = torch.bitwise_and(codes, 2**layer.rule.format.b_bits - 1)
        values = probe.product_table().to(codes.device)[:, patterns].double() - float(layer.a_zero) * codes.double()
        b = probe.b.to(torch.int64).flatten(1)
        zero = layer.b_zero.reshape(-1, 1).to(torch.int64)
        fixed = (b == zero) if layer.reducer is not None else torch.zeros_like(b, dtype=torch.bool)
        return cls(a=a, b=b, codes=codes, values=values.float(), fixed=fixed)


def descend(windows: Windows, error: Tensor, *, reach: int, sweeps: int) -> Tensor:
    """int64 [O, K] code values that lower the variance of `error`, float32 [O, P], each within `reach` of where it started.

    `sum_p (e_p + d(a_p))**2` for a change d of one weight needs only the sums of e by activation code and how often each code occurs, so
    every candidate of every filter is judged exactly by one matrix product with the table. Zero-point terms of the weights' side,
    `zb sum a`, do not depend on codes.
    """
    places = torch.searchsorted(windows.codes, windows.b.contiguous())  # [O, K]
    start = places.clone()
    groups, size = windows.a.shape[1], len(places) // windows.a.shape[1]
    error = error - error.mean(1, keepdim=True)
    for _ in range(sweeps):
        moved = 0
        for group in range(groups):
            part = slice(group * size, (group + 1) * size)
            moved += _sweep(windows, group, part, places, start, error, reach)
        if not moved:
            break
    return windows.codes[places]


def _sweep(windows: Windows, group: int, part: slice, places: Tensor, start: Tensor, error: Tensor, reach: int) -> int:
    """One pass over the weights of a group; moves `places` and `error` in place, and returns how many weights moved."""
    a, values, count = windows.a[:, group], windows.values, error.shape[1]
    codes = torch.arange(values.shape[1], device=values.device)
    rest = error[part].T.contiguous()  # [P, N]
    moved = 0
    for k in range(a.shape[1]):
        column, now = a[:, k], places[part, k]
        met = torch.bincount(column, minlength=len(values)).float() / count
        by_code = torch.zeros(len(values), rest.shape[1], device=rest.device).index_add_(0, column, rest) / count
        centred = values - met @ values  # the mean of a change goes to the bias
        slope = by_code.T @ centred  # [N, V]
        square = met @ centred.square()  # [V]
        cross = (centred[:, now] * met[:, None]).T @ centred  # [N, V]
        own = slope.gather(1, now[:, None])
        gain = 2 * (slope - own) + square - 2 * cross + square[now][:, None]
        allowed = ((codes - start[part, k][:, None]).abs() <= reach) & ~windows.fixed[part, k][:, None]
        gain = torch.where(allowed, gain, torch.full_like(gain, torch.inf))
        best, chosen = gain.min(1)
        going = torch.nonzero((best < -1e-6 * square[now].clamp(min=1e-12)) & (chosen != now))[:, 0]
        if len(going):
            change = centred[:, chosen[going]] - centred[:, now[going]]
            rest[:, going] += change[column]
            places[part, k] = now.index_copy(0, going, chosen[going])
            moved += len(going)
    error[part] = rest.T
    return moved
