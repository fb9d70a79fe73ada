"""Products of two stacks of matrices, as in attention, through a table and exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from inexact.core.errors import FormatError
from inexact.kernels._exact import FLOAT32_EXACT, FLOAT64_EXACT
from inexact.kernels._face import conv2d


def matmul(a: Tensor, b: Tensor, lut: Tensor, engine: str = "auto") -> Tensor:
    """out[…, m, n] = sum_k lut[a[…, m, k], b[…, k, n]], int32; leading dimensions broadcast.

    a: uint8 codes [..., M, K], b: uint8 codes [..., K, N]. lut, engine and errors as for `gemm`.
    """
    batch = _batch(a, b)
    m, k, n = *a.shape[-2:], b.shape[-1]
    if 0 in (*batch, m, k, n):
        return torch.zeros(*batch, m, n, dtype=torch.int32, device=a.device)
    left = a.expand(*batch, m, k).reshape(-1, m, k)
    right = b.expand(*batch, k, n).reshape(-1, k, n)
    stack = left.shape[0]
    # A stack of products is one grouped pointwise convolution; with b as its image and a as its kernel, out needs no transposition.
    image, kernel = right.reshape(1, stack * k, 1, n), left.reshape(stack * m, k, 1, 1)
    return conv2d(image, kernel, lut.T.contiguous(), groups=stack, engine=engine).reshape(*batch, m, n)


def exact_matmul(a: Tensor, b: Tensor, *, peak: tuple[int, int]) -> Tensor:
    """a @ b of integers held in float tensors [..., M, K], [..., K, N] -> float64, exact.

    peak: bounds on |a| and |b| the caller vouches for. FormatError when K products of that size reach 2**53.
    """
    _batch(a, b)
    bound = a.shape[-1] * peak[0] * peak[1]
    if bound >= FLOAT64_EXACT:
        raise FormatError(f"K * max|a| * max|b| must stay below 2**53 for exact sums, but it reaches {bound}")
    # On a GPU, and when the caller lowered the precision of float32 products, float32 operands may be rounded to fewer bits.
    full_float32 = a.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest"
    inner = torch.float32 if bound < FLOAT32_EXACT and full_float32 else torch.float64
    return torch.matmul(a.to(inner), b.to(inner)).double()


def _batch(a: Tensor, b: Tensor) -> torch.Size:
    if a.dim() < 2 or b.dim() < 2 or a.shape[-1] != b.shape[-2]:
        raise FormatError(f"a product needs [..., M, K] and [..., K, N], not {list(a.shape)} and {list(b.shape)}")
    try:
        return torch.Size(torch.broadcast_shapes(a.shape[:-2], b.shape[:-2]))  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise FormatError(f"leading dimensions must broadcast; {list(a.shape)} and {list(b.shape)} do not") from error
