"""Portable engine of accumulators: one torch addition a product, for all outputs at once. Runs without a compiler, and on CUDA."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from inexact.core.accumulation import Accumulation
from inexact.kernels._adders import Step, addition
from inexact.kernels._geometry import Geometry
from inexact.kernels._torch import ELEMENTS, windows


def total(product: Callable[[int], Tensor], count: int, accumulation: Accumulation, zero: Tensor) -> Tensor:
    """The accumulator after product(0), …, product(count - 1), int64 tensors of the shape of `zero`."""
    add, size = addition(accumulation), accumulation.group
    sums = zero
    for first in range(0, count, size):
        group = (product(k) if k < count else zero for k in range(first, first + size))
        if accumulation.chained:
            column = zero
            for value in group:
                column = add(column, value)
        else:
            column = _tree(list(group), add)
        sums = add(sums, column)
    return sums


def _tree(values: list[Tensor], add: Step) -> Tensor:
    while len(values) > 1:
        values = [add(left, right) for left, right in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def gemm(a: Tensor, b: Tensor, lut: Tensor, accumulation: Accumulation) -> Tensor:
    """a uint8 [G, M, K], b uint8 [G, N, K] through lut int32 -> int32 [G, M, N]."""
    groups, m, count = a.shape
    flat, columns, n = lut.reshape(-1).long(), lut.shape[1], b.shape[1]
    out = torch.empty(groups, m, n, dtype=torch.int32, device=a.device)
    step = max(1, ELEMENTS // max(1, groups * n * (accumulation.group if not accumulation.chained else 1)))
    for i in range(0, m, step):
        left = a[:, i : i + step, :]

        def product(k: int, left: Tensor = left) -> Tensor:
            return flat.take(left[:, :, None, k].long() * columns + b[:, None, :, k].long())

        zero = torch.zeros(groups, left.shape[1], n, dtype=torch.int64, device=a.device)
        out[:, i : i + step] = total(product, count, accumulation, zero).to(torch.int32)
    return out


def conv2d(a: Tensor, w: Tensor, lut: Tensor, accumulation: Accumulation, geometry: Geometry, pad_code: int) -> Tensor:
    """a uint8 [N, C, H, W], w uint8 [O, C/groups, kh, kw] -> int32 [N, O, H', W']."""
    shape = geometry.output(a.shape, w.shape)
    out = torch.empty(shape, dtype=torch.int32, device=a.device)
    groups, outputs = geometry.groups, w.shape[0] // geometry.groups
    weights = w.reshape(groups, outputs, -1)
    pixels, taps = shape[2] * shape[3], weights.shape[2]
    step = max(1, ELEMENTS // (pixels * taps * groups))
    for i in range(0, a.shape[0], step):
        view = windows(a[i : i + step], (w.shape[2], w.shape[3]), geometry, pad_code)
        images = view.shape[0]
        codes = view.reshape(images, groups, taps, pixels).permute(1, 0, 3, 2).reshape(groups, images * pixels, taps)
        sums = gemm(codes, weights, lut, accumulation).reshape(groups, images, pixels, outputs).permute(1, 0, 3, 2)
        out[i : i + step] = sums.reshape(images, *shape[1:])
    return out
