"""Gradients through tables of slopes: `inexact::slope_gemm`, the backward pass of a sum of look-ups."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from inexact.core.errors import FormatError
from inexact.kernels import _dispatch, _table
from inexact.kernels._check import check_codes, check_range
from inexact.kernels._geometry import Geometry
from inexact.kernels._operator import operator, shaped
from inexact.kernels._torch import ELEMENTS, windows


@operator("slope_gemm")
def slope_gemm(a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
    """by_a[m, k] = sum_n g[m, n] along_a[a[m, k], b[n, k]] and by_b[n, k] = sum_m g[m, n] along_b[a[m, k], b[n, k]], float32.

    a: uint8 codes [M, K]; b: uint8 codes [N, K]; g: float32 [M, N]; along_a, along_b: float32 [codes of a, codes of b].
    The result does not depend on the number of threads; engines differ by the rounding of float32 sums.
    FormatError: wrong dtype or shape, a code outside the tables.
    """
    _check(a, b, g, along_a, along_b)
    if 0 in (*a.shape, b.shape[0]):
        return torch.zeros(a.shape, device=g.device), torch.zeros(b.shape, device=g.device)
    if _dispatch.core() is not None and g.device.type == "cpu":
        return _table.slope_gemm(a, b, g, along_a, along_b)
    return _gathered(a, b, g, along_a, along_b)


@shaped("slope_gemm")
def _(a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
    return g.new_empty(a.shape), g.new_empty(b.shape)


def slope_conv2d(
    a: Tensor, w: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor, *, stride: tuple[int, int], dilation: tuple[int, int], groups: int
) -> tuple[Tensor, Tensor]:
    """As `slope_gemm` for a convolution without padding.

    a: uint8 codes [N, C, H, W]; w: uint8 codes [O, C/groups, kh, kw]; g: float32 [N, O, H', W'] -> float32, shaped as a and as w.
    """
    geometry = Geometry.of(stride, 0, dilation, groups)
    kernel = (w.shape[2], w.shape[3])
    by_a, by_w = torch.empty(a.shape, device=g.device), torch.zeros(w.shape, device=g.device)
    step = max(1, ELEMENTS // max(1, w[0].numel() * groups * g.shape[2] * g.shape[3]))
    inner, outer = a.shape[1] // groups, w.shape[0] // groups
    for i in range(0, a.shape[0], step):
        view = windows(a[i : i + step], kernel, geometry, 0)  # [n, C, kh, kw, H', W']
        columns = []
        for group in range(groups):
            channels, outputs = slice(group * inner, (group + 1) * inner), slice(group * outer, (group + 1) * outer)
            codes = view[:, channels].permute(0, 4, 5, 1, 2, 3).reshape(-1, inner * kernel[0] * kernel[1])
            arrived = g[i : i + step, outputs].permute(0, 2, 3, 1).reshape(-1, outer)
            by_codes, by_part = slope_gemm(codes, w[outputs].reshape(outer, -1), arrived, along_a, along_b)
            by_w[outputs] += by_part.reshape(outer, inner, *kernel)
            columns.append(by_codes.reshape(view.shape[0], -1, codes.shape[1]).transpose(1, 2))
        size = (a.shape[2], a.shape[3])
        by_a[i : i + step] = functional.fold(torch.cat(columns, dim=1), size, kernel, dilation=dilation, stride=stride)
    return by_a, by_w


def _gathered(a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
    """One look-up a product, in blocks of bounded size."""
    by_a, by_b = torch.empty(a.shape, device=g.device), torch.zeros(b.shape, device=g.device)
    step = max(1, ELEMENTS // max(1, b.numel()))
    columns = b.long()[None]
    for m in range(0, a.shape[0], step):
        rows, arrived = a[m : m + step, None].long(), g[m : m + step, :, None]
        by_a[m : m + step] = (along_a[rows, columns] * arrived).sum(1)
        by_b += (along_b[rows, columns] * arrived).sum(0)
    return by_a, by_b


def _check(a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> None:
    if along_a.shape != along_b.shape or along_a.ndim != 2 or max(along_a.shape) > 256:
        raise FormatError(f"both tables of slopes must be [2**width_a, 2**width_b], not {list(along_a.shape)} and {list(along_b.shape)}")
    if any(t.dtype != torch.float32 for t in (g, along_a, along_b)):
        raise FormatError("gradients and slopes must be float32; convert them first")
    for name, codes, size in (("a", a, along_a.shape[0]), ("b", b, along_a.shape[1])):
        check_codes(name, codes, g)
        check_range(name, codes, size)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or g.shape != (a.shape[0], b.shape[0]):
        raise FormatError(f"a [M, K], b [N, K] and g [M, N] must agree, not {list(a.shape)}, {list(b.shape)} and {list(g.shape)}")
