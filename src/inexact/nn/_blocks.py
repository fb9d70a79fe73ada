"""Layers of block formats: exact sums of one block's products, scaled by both blocks' powers of two, added in float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inexact import kernels
from inexact.nn._numbers import number_sums
from inexact.nn._sums import conv2d
from inexact.precision.blocks import Block

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer


@dataclass(frozen=True, kw_only=True)
class AsConvolution:
    """A layer as a two-dimensional convolution without padding: image [N, C, H, W], weight [O, C/groups, kh, kw]."""

    image: Tensor
    weight: Tensor
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        spans = zip(self.image.shape[2:], self.weight.shape[2:], self.stride, self.dilation, strict=True)
        rows, columns = ((whole - d * (k - 1) - 1) // s + 1 for whole, k, s, d in spans)
        return rows, columns

    def under(self, plane: Tensor, row: int, column: int) -> Tensor:
        """What of a plane [..., H, W] meets one position of the kernel, [..., H', W']."""
        taps = zip((row, column), self.stride, self.dilation, self.size, strict=True)
        rows, columns = (slice(tap * d, tap * d + (size - 1) * s + 1, s) for tap, s, d, size in taps)
        return plane[..., rows, columns]


def blocked_sums(layer: ApproxLayer, form: Block, shape: AsConvolution) -> Tensor:
    """float32 [N, O, H', W'], the sums of a layer without its bias, in the order the format defines."""
    a, a_powers = form.split(shape.image, shape.groups)
    b, b_powers = form.split(shape.weight)
    step = form.element_step**2 if layer.factors is None else layer.factors.step
    total: Tensor | None = None
    for row, column, block, channels in _blocks(shape, form.size):
        met = shape.under(a, row, column)
        left = met.reshape(len(met), shape.groups, -1, *met.shape[2:])[:, :, channels].flatten(1, 2)
        right = b[:, channels, row : row + 1, column : column + 1]
        sums = _contract(layer, left, right, shape.groups)
        by_group = shape.under(a_powers[:, :, block], row, column).repeat_interleave(len(b) // shape.groups, dim=1)
        power = by_group + b_powers[:, 0, block, row, column].reshape(1, -1, 1, 1)
        term = torch.ldexp(sums * step, power.int()).float()
        total = term if total is None else total + term
    assert total is not None
    return total


def _blocks(shape: AsConvolution, size: int) -> Iterator[tuple[int, int, int, slice]]:
    _, each, rows, columns = shape.weight.shape
    for row in range(rows):
        for column in range(columns):
            for block, start in enumerate(range(0, each, size)):
                yield row, column, block, slice(start, min(start + size, each))


def _contract(layer: ApproxLayer, a: Tensor, b: Tensor, groups: int) -> Tensor:
    """float64 integers [N, O, H', W'] of one block of codes: a [N, C, H', W'], b [O, C/groups, 1, 1]."""
    rule = layer.rule

    def exact(x: Tensor, y: Tensor, peak: int) -> Tensor:
        return kernels.exact_conv2d(x.contiguous(), y, groups=groups, peak=peak, dtype=torch.float64)

    if layer.factors is not None:
        return number_sums(layer.factors, a, b, exact, b.shape[1])
    if rule.exact:
        return exact(a, b, layer.a_peak)
    return conv2d(rule, layer.a_patterns(a).contiguous(), layer.b_patterns(b).contiguous(), layer.table, (1, 1), (1, 1), groups).double()
