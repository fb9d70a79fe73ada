"""`gemm` and `conv2d` as users call them: numpy arrays or torch tensors in, the same kind out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inexact.core.errors import FormatError
from inexact.kernels import _ops
from inexact.kernels._geometry import Geometry

Codes = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.int32]


@overload
def gemm(a: Codes, b: Codes, lut: Sums | Tensor, engine: str = "auto") -> Sums: ...
@overload
def gemm(a: Tensor, b: Tensor, lut: Sums | Tensor, engine: str = "auto") -> Tensor: ...
def gemm(a: Codes | Tensor, b: Codes | Tensor, lut: Sums | Tensor, engine: str = "auto") -> Sums | Tensor:
    """out[m, n] = sum_k lut[a[m, k], b[n, k]].

    a: uint8 codes [M, K] of activations; b: uint8 codes [N, K] of weights; lut: int32 [2**width_a, 2**width_b].
    engine: "auto" or a name of `engines()`; the result does not depend on it. Returns int32 [M, N], numpy for numpy, torch for torch.
    FormatError: wrong dtype or shape, a code outside the table, a K whose sum could overflow int32.
    """
    out = _ops.table_gemm(_tensor("a", a), _tensor("b", b), _table(lut), engine)
    return out if isinstance(a, Tensor) else _array(out)


@overload
def conv2d(
    a: Codes,
    w: Codes,
    lut: Sums | Tensor,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    pad_code: int = 0,
    engine: str = "auto",
) -> Sums: ...
@overload
def conv2d(
    a: Tensor,
    w: Tensor,
    lut: Sums | Tensor,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    pad_code: int = 0,
    engine: str = "auto",
) -> Tensor: ...
def conv2d(
    a: Codes | Tensor,
    w: Codes | Tensor,
    lut: Sums | Tensor,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    pad_code: int = 0,
    engine: str = "auto",
) -> Sums | Tensor:
    """Convolution in which every product is lut[activation code, weight code].

    a: uint8 codes [N, C, H, W]; w: uint8 codes [O, C/groups, kh, kw]; lut, engine, result and errors as for `gemm`.
    stride, padding, dilation: one integer or (vertical, horizontal); padding also (top, bottom, left, right).
    Padded positions hold `pad_code` and are multiplied like any other.
    Returns int32 [N, O, H', W'].
    """
    g = Geometry.of(stride, padding, dilation, groups)
    out = _ops.table_conv2d(_tensor("a", a), _tensor("w", w), _table(lut), g.stride, g.padding, g.dilation, g.groups, int(pad_code), engine)
    return out if isinstance(a, Tensor) else _array(out)


def _array(out: Tensor) -> Sums:
    return np.asarray(out.numpy(), np.int32)


def _tensor(name: str, codes: Any) -> Tensor:
    if isinstance(codes, Tensor):
        return codes
    if not isinstance(codes, np.ndarray):
        raise FormatError(f"codes {name} must be a numpy array or a torch tensor, not {type(codes).__name__}")
    if codes.dtype != np.uint8:
        raise FormatError(f"codes {name} must be uint8, not {codes.dtype}; convert values to bit patterns first")
    return torch.from_numpy(np.require(codes, requirements=["C", "W"]) if codes.flags.writeable else codes.copy())


def _table(lut: Any) -> Tensor:
    if isinstance(lut, Tensor):
        return lut
    if not isinstance(lut, np.ndarray) or lut.dtype.kind not in "iu":
        raise FormatError(f"a table must be an int32 array or tensor, not {getattr(lut, 'dtype', type(lut).__name__)}")
    if lut.dtype.kind == "u":
        lut = lut.astype(np.int64)
    return torch.from_numpy(np.require(lut, requirements=["C"]) if lut.flags.writeable else lut.copy())
