"""The specification in numpy: one output at a time. Slow; used where the compiled core is absent, and to test it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inexact.kernels._geometry import Geometry

Codes = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.int32]


def gemm(a: Codes, b: Codes, lut: Sums) -> Sums:
    """a [M, K], b [N, K] -> int32 [M, N]: out[m, n] = sum_k lut[a[m, k], b[n, k]]."""
    out = np.zeros((len(a), len(b)), np.int32)
    for m, n in np.ndindex(*out.shape):
        out[m, n] = lut[a[m], b[n]].sum(dtype=np.int32)
    return out


def conv2d(a: Codes, w: Codes, lut: Sums, geometry: Geometry, pad_code: int) -> Sums:
    """a [N, C, H, W], w [O, C/groups, kh, kw] -> int32 [N, O, H', W']; padded positions hold `pad_code`."""
    (top, bottom, left, right), (sy, sx), (dy, dx) = geometry.padding, geometry.stride, geometry.dilation
    padded = np.pad(a, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad_code)
    out = np.zeros(geometry.output(a.shape, w.shape), np.int32)
    inputs, outputs = w.shape[1], w.shape[0] // geometry.groups
    tall, wide = dy * (w.shape[2] - 1) + 1, dx * (w.shape[3] - 1) + 1
    for n, o, y, x in np.ndindex(*out.shape):
        first = o // outputs * inputs
        window = padded[n, first : first + inputs, y * sy : y * sy + tall : dy, x * sx : x * sx + wide : dx]
        out[n, o, y, x] = lut[window, w[o]].sum(dtype=np.int32)
    return out
