"""The exact integer path: ordinary float products, used only where a bound proves that nothing is rounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from inexact.core.errors import FormatError
from inexact.kernels._geometry import Geometry, gemm_output

FLOAT32_EXACT = 2**24
FLOAT64_EXACT = 2**53


def exact_gemm(a: Tensor, b: Tensor, *, peak: int | None = None, dtype: torch.dtype = torch.int64) -> Tensor:
    """sum_k a[m, k] * b[n, k] of integer values a [M, K], b [N, K] -> [M, N] of `dtype`, int64 or float64.

    peak: a bound on |a| the caller vouches for; a and b may then be float tensors that hold integers, and a is not scanned.
    Every partial sum is at most max|a| * max_n sum_k |b[n, k]|; below 2**24 float32 holds each of them exactly in whatever order they
    are added, below 2**53 float64 does. FormatError beyond.
    """
    shape = gemm_output(a.shape, b.shape)
    if 0 in (*shape, a.shape[1]):
        return torch.zeros(shape, dtype=dtype, device=a.device)
    inner = _certified(a, b.flatten(1), peak)
    return (a.to(inner) @ b.to(inner).T).to(dtype)


def exact_conv2d(
    a: Tensor,
    w: Tensor,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    peak: int | None = None,
    dtype: torch.dtype = torch.int64,
) -> Tensor:
    """Convolution of integer values a [N, C, H, W], w [O, C/groups, kh, kw] with zero padding -> [N, O, H', W'] of `dtype`.

    Bounds, options and errors as for `exact_gemm`.
    """
    geometry = Geometry.of(stride, padding, dilation, groups)
    shape = geometry.output(a.shape, w.shape)
    if 0 in (*shape, w.shape[1]):
        return torch.zeros(shape, dtype=dtype, device=a.device)
    inner = _certified(a, w.flatten(1), peak)
    convolve: Callable[..., Tensor] = functional.conv2d
    # NNPACK may choose Winograd, whose transforms divide: exact sums need a direct algorithm.
    with torch.backends.nnpack.flags(enabled=False):
        sums = convolve(_padded(a.to(inner), geometry), w.to(inner), None, geometry.stride, 0, geometry.dilation, groups)
    return sums.to(dtype)


def _padded(a: Tensor, geometry: Geometry) -> Tensor:
    top, bottom, left, right = geometry.padding
    return functional.pad(a, (left, right, top, bottom)) if any(geometry.padding) else a


def _certified(a: Tensor, w: Tensor, peak: int | None = None) -> torch.dtype:
    """float32 or float64, whichever holds every partial sum of the product exactly. w: [outputs, window]."""
    if peak is None:
        for name, values in (("a", a), ("w", w)):
            if values.dtype.is_floating_point or values.dtype.is_complex:
                raise FormatError(f"values {name} must be integers, not {str(values.dtype).removeprefix('torch.')}")
        low, high = (int(v) for v in a.aminmax())
        peak = max(-low, high)
    bound = peak * int(w.to(torch.int64).abs().sum(1).max())
    # On a GPU, and when the caller lowered the precision of float32 products, float32 operands may be rounded to fewer bits.
    full_float32 = a.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    if bound < FLOAT32_EXACT and full_float32:
        return torch.float32
    if bound < FLOAT64_EXACT:
        return torch.float64
    raise FormatError(f"max|a| * max sum|w| must stay below 2**53 for exact sums, but it reaches {bound}")
