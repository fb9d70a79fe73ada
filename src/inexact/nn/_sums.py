"""Sums of products as a rule plans them: by the table engines, or one by one through its accumulator."""

from __future__ import annotations

import torch
from torch import Tensor

from inexact import kernels
from inexact.nn._rule import Rule


def gemm(rule: Rule, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
    """int32 [M, N] of uint8 patterns a [M, K], b [N, K]."""
    return kernels.gemm(a, b, table) if rule.sums is None else kernels.sequential_gemm(a, b, table, rule.sums)


def matmul(rule: Rule, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
    """int32 [..., M, N] of uint8 patterns a [..., M, K], b [..., K, N]; leading dimensions broadcast."""
    if rule.sums is None:
        return kernels.matmul(a, b, table)
    leading = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])  # type: ignore[no-untyped-call]
    m, k, n = *a.shape[-2:], b.shape[-1]
    left, right = a.expand(*leading, m, k).reshape(-1, k, 1, 1), b.expand(*leading, k, n).reshape(1, -1, 1, n)
    # a stack of products is one grouped pointwise convolution, with b as its image and a as its kernel
    sums = kernels.sequential_conv2d(right, left, table.T.contiguous(), rule.sums, groups=left.shape[0] // m)
    return sums.reshape(*leading, m, n)


def conv2d(rule: Rule, a: Tensor, w: Tensor, table: Tensor, stride: tuple[int, int], dilation: tuple[int, int], groups: int) -> Tensor:
    """int32 [N, O, H', W'] of padded uint8 patterns a [N, C, H, W], w [O, C/groups, kh, kw]."""
    if rule.sums is None:
        return kernels.conv2d(a, w, table, stride=stride, padding=0, dilation=dilation, groups=groups)
    return kernels.sequential_conv2d(a, w, table, rule.sums, stride, 0, dilation, groups)
