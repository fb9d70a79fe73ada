"""The torch operators `inexact::table_gemm` and `inexact::table_conv2d`, as `torch.export` and `torch.compile` see them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inexact.core.errors import FormatError
from inexact.kernels import _choice, _dispatch, _lowrank, _reference, _table, _torch
from inexact.kernels._check import check_codes, check_range, check_window, checked_table
from inexact.kernels._cost import Layer
from inexact.kernels._geometry import gemm_output, geometry_of
from inexact.kernels._known import Known, known_of
from inexact.kernels._operator import operator, shaped


@operator("table_gemm")
def table_gemm(a: Tensor, b: Tensor, lut: Tensor, engine: str = "auto") -> Tensor:
    """uint8 codes a [M, K], b [N, K] through lut int32 -> int32 [M, N]."""
    shape = gemm_output(a.shape, b.shape)
    lut, known = _certify(a, b, lut, a.shape[1])
    if 0 in (*shape, a.shape[1]):
        _choice.check(engine, a.device.type)
        return torch.zeros(shape, dtype=torch.int32, device=a.device)
    engine = _choice.resolve(engine, a.device.type, known, Layer.product(*shape, a.shape[1]))
    if engine == "lowrank":
        return _lowrank.gemm(a, b, known)
    if engine == "split":
        return _lowrank.split_gemm(a, b, known)
    if engine == "torch":
        return _torch.gemm(a, b, lut, known.peak)
    if _dispatch.core() is None:
        return torch.from_numpy(_reference.gemm(a.numpy(), b.numpy(), lut.numpy()))
    return _table.gemm(a, b, known, _path(engine))


@shaped("table_gemm")
def _(a: Tensor, b: Tensor, lut: Tensor, engine: str = "auto") -> Tensor:
    return a.new_empty(gemm_output(a.shape, b.shape), dtype=torch.int32)


@operator("table_conv2d")
def table_conv2d(
    a: Tensor,
    w: Tensor,
    lut: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    pad_code: int,
    engine: str = "auto",
) -> Tensor:
    """uint8 codes a [N, C, H, W], w [O, C/groups, kh, kw] through lut int32 -> int32 [N, O, H', W']."""
    geometry = geometry_of(tuple(stride), tuple(padding), tuple(dilation), groups)
    shape = geometry.output(a.shape, w.shape)
    lut, known = _certify(a, w, lut, w[0].numel() if w.shape[0] else 0)
    if not 0 <= pad_code < lut.shape[0]:
        raise FormatError(f"pad_code must be a code of the table (0..{lut.shape[0] - 1}), not {pad_code}")
    if 0 in (*shape, w.shape[1]):
        _choice.check(engine, a.device.type)
        return torch.zeros(shape, dtype=torch.int32, device=a.device)
    engine = _choice.resolve(engine, a.device.type, known, Layer.convolution(shape, w.shape, groups))
    if engine == "lowrank":
        return _lowrank.conv2d(a, w, known, geometry, pad_code)
    if engine == "split":
        return _lowrank.split_conv2d(a, w, known, geometry, pad_code)
    if engine == "torch":
        return _torch.conv2d(a, w, lut, geometry, pad_code, known.peak)
    if _dispatch.core() is None:
        return torch.from_numpy(_reference.conv2d(a.numpy(), w.numpy(), lut.numpy(), geometry, pad_code))
    return _table.conv2d(a, w, known, geometry, pad_code, _path(engine))


@shaped("table_conv2d")
def _(
    a: Tensor,
    w: Tensor,
    lut: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    pad_code: int,
    engine: str = "auto",
) -> Tensor:
    geometry = geometry_of(tuple(stride), tuple(padding), tuple(dilation), groups)
    return a.new_empty(geometry.output(a.shape, w.shape), dtype=torch.int32)


def _certify(a: Tensor, b: Tensor, lut: Tensor, window: int) -> tuple[Tensor, Known]:
    """The table, checked, and what is known of it: no code outside it, no sum beyond int32."""
    check_codes("a", a, lut)
    check_codes("b", b, lut)
    lut = checked_table(lut)
    check_range("a", a, lut.shape[0])
    check_range("b", b, lut.shape[1])
    known = known_of(lut)
    check_window(known.peak, window)
    return lut, known


def _path(engine: str) -> str:
    return "reference" if engine == "reference" else _dispatch.isa()
