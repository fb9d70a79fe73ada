"""Portable engine: torch operators only, so it runs without a compiler and on CUDA.

With the weights fixed, tap k of a window selects one row of a table [codes, outputs] = lut[:, w[:, k]]; a window is the sum of its
selected rows, which is what `embedding_bag` computes. Sums are taken in floating point in blocks of taps small enough to be exact.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from inexact.kernels._geometry import Geometry

ELEMENTS = 1 << 22
"""Bound on the elements of any temporary."""

FLOAT32_EXACT = 2**24


def gemm(a: Tensor, b: Tensor, lut: Tensor, peak: int) -> Tensor:
    """a uint8 [M, K], b uint8 [N, K], lut int32 with |lut| <= peak -> int32 [M, N]."""
    rows = lut.shape[0]
    if a.shape[0] < rows // 2:  # building the tables would cost more than it saves
        if b.shape[0] >= lut.shape[1] // 2:
            return gemm(b, a, lut.T, peak).T.contiguous()
        return _gather(a[None], b[None], lut)[0]
    out = torch.zeros(a.shape[0], b.shape[0], dtype=torch.int32, device=a.device)
    dtype = torch.float32 if peak < FLOAT32_EXACT else torch.float64
    exact = a.shape[1] if dtype == torch.float64 else (FLOAT32_EXACT - 1) // max(peak, 1)
    n_step = min(b.shape[0], 1024)
    k_step = max(1, min(a.shape[1], exact, ELEMENTS // (rows * n_step)))
    m_step = max(1, ELEMENTS // max(k_step, n_step))
    for k in range(0, a.shape[1], k_step):
        for n in range(0, b.shape[0], n_step):
            weights = b[n : n + n_step, k : k + k_step].T.long()
            table = lut[:, weights].transpose(0, 1).reshape(-1, weights.shape[1]).to(dtype)
            first = torch.arange(weights.shape[0], device=a.device) * rows
            for m in range(0, a.shape[0], m_step):
                index = a[m : m + m_step, k : k + k_step].long() + first
                out[m : m + m_step, n : n + n_step] += functional.embedding_bag(index, table, mode="sum").to(torch.int32)
    return out


def _gather(a: Tensor, b: Tensor, lut: Tensor) -> Tensor:
    """a [G, M, K], b [G, N, K] -> int32 [G, M, N], one look-up a product: for few rows or few outputs."""
    groups, m, k = a.shape
    n = b.shape[1]
    out = torch.empty(groups, m, n, dtype=torch.int32, device=a.device)
    flat, columns = lut.reshape(-1), lut.shape[1]
    n_step = max(1, min(n, ELEMENTS // k))
    m_step = max(1, min(m, ELEMENTS // (k * n_step)))
    g_step = max(1, ELEMENTS // (k * n_step * m_step))
    for g in range(0, groups, g_step):
        for i in range(0, m, m_step):
            left = a[g : g + g_step, i : i + m_step, None].long() * columns
            for j in range(0, n, n_step):
                products = flat.take(left + b[g : g + g_step, None, j : j + n_step].long())
                out[g : g + g_step, i : i + m_step, j : j + n_step] = products.sum(-1, dtype=torch.int32)
    return out


def windows(a: Tensor, kernel: tuple[int, int], geometry: Geometry, pad_code: int) -> Tensor:
    """View [N, C, kh, kw, H', W'] of the padded codes: the windows of a convolution, nothing copied but the padding."""
    (top, bottom, left, right), (sy, sx), (dy, dx) = geometry.padding, geometry.stride, geometry.dilation
    padded = functional.pad(a, (left, right, top, bottom), value=pad_code).contiguous()
    height, width = (geometry.extent(a.shape[2 + i], kernel[i], i) for i in range(2))
    n, c, h, w = padded.stride()
    return padded.as_strided((*a.shape[:2], *kernel, height, width), (n, c, dy * h, dx * w, sy * h, sx * w))


def conv2d(a: Tensor, w: Tensor, lut: Tensor, geometry: Geometry, pad_code: int, peak: int) -> Tensor:
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
        if outputs < 8 and groups > 1:
            sums = _gather(codes, weights, lut)
        else:
            sums = torch.stack([gemm(codes[g], weights[g], lut, peak) for g in range(groups)])
        sums = sums.reshape(groups, images, pixels, outputs).permute(1, 0, 3, 2)
        out[i : i + step] = sums.reshape(images, *shape[1:])
    return out
