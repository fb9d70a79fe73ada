"""`sequential_gemm` and `sequential_conv2d` as users call them: sums of products through an accumulator, in its declared order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, overload

import torch
from torch import Tensor

from inexact.core.accumulation import Accumulation
from inexact.core.errors import FormatError
from inexact.kernels import _ops, _sequential_torch
from inexact.kernels import _sequential_ops as ops
from inexact.kernels._face import Codes, Sums, _array, _table, _tensor
from inexact.kernels._geometry import Geometry, gemm_output


class Accumulates(Protocol):
    """Anything that says how it accumulates, as `inexact.units.Accumulator`."""

    @property
    def accumulation(self) -> Accumulation:
        """The accumulator as data."""


@overload
def sequential_gemm(a: Codes, b: Codes, lut: Sums | Tensor, accumulator: Accumulates, engine: str = "auto") -> Sums: ...
@overload
def sequential_gemm(a: Tensor, b: Tensor, lut: Sums | Tensor, accumulator: Accumulates, engine: str = "auto") -> Tensor: ...
def sequential_gemm(
    a: Codes | Tensor, b: Codes | Tensor, lut: Sums | Tensor, accumulator: Accumulates, engine: str = "auto"
) -> Sums | Tensor:
    """out[m, n] = the accumulator after lut[a[m, k], b[n, k]] for k = 0, 1, …

    a: uint8 codes [M, K] of activations; b: uint8 codes [N, K] of weights; lut: int32 [2**width_a, 2**width_b].
    accumulator: a `units.Accumulator`. engine: "auto", "sequential" (compiled), "torch" or "reference"; the result does not depend on it.
    Returns int32 [M, N], numpy for numpy, torch for torch.
    FormatError: wrong dtype or shape, a code outside the table, an accumulator that cannot hold a product.
    """
    found, left, right, table = _accumulation(accumulator), _tensor("a", a), _tensor("b", b), _table(lut)
    if found.rule is None:
        out = _foreign_gemm(left, right, table, found, engine)
    else:
        whole = _ordinary(left, right, table, found, engine)
        if whole is not None:
            out = ops.wrapped(_ops.table_gemm(left, right, whole), found.width)
        else:
            out = ops.sequential_gemm(left, right, table, ops.encoded(found), engine)
    return out if isinstance(a, Tensor) else _array(out)


@overload
def sequential_conv2d(
    a: Codes,
    w: Codes,
    lut: Sums | Tensor,
    accumulator: Accumulates,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    pad_code: int = 0,
    engine: str = "auto",
) -> Sums: ...
@overload
def sequential_conv2d(
    a: Tensor,
    w: Tensor,
    lut: Sums | Tensor,
    accumulator: Accumulates,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    pad_code: int = 0,
    engine: str = "auto",
) -> Tensor: ...
def sequential_conv2d(
    a: Codes | Tensor,
    w: Codes | Tensor,
    lut: Sums | Tensor,
    accumulator: Accumulates,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    pad_code: int = 0,
    engine: str = "auto",
) -> Sums | Tensor:
    """Convolution whose products reach an accumulator in the order (channel of the group, kernel row, kernel column).

    a: uint8 codes [N, C, H, W]; w: uint8 codes [O, C/groups, kh, kw]; lut, accumulator, engine, result and errors as for
    `sequential_gemm`; stride, padding, dilation, groups and pad_code as for `conv2d`. Padded positions are multiplied and added.
    Returns int32 [N, O, H', W'].
    """
    g = Geometry.of(stride, padding, dilation, groups)
    found, left, right, table = _accumulation(accumulator), _tensor("a", a), _tensor("w", w), _table(lut)
    where = (g.stride, g.padding, g.dilation, g.groups, int(pad_code))
    if found.rule is None:
        out = _foreign_conv2d(left, right, table, found, g, int(pad_code), engine)
    else:
        whole = _ordinary(left, right, table, found, engine)
        if whole is not None:
            out = ops.wrapped(_ops.table_conv2d(left, right, whole, *where), found.width)
        else:
            out = ops.sequential_conv2d(left, right, table, ops.encoded(found), *where, engine)
    return out if isinstance(a, Tensor) else _array(out)


def _accumulation(accumulator: Any) -> Accumulation:
    found = getattr(accumulator, "accumulation", None)
    if not isinstance(found, Accumulation):
        raise FormatError(f"accumulator must be an Accumulator such as units.Accumulator(width=24), not {accumulator!r}")
    return found


def _ordinary(a: Tensor, b: Tensor, lut: Tensor, accumulation: Accumulation, engine: str) -> Tensor | None:
    """The table with which an ordinary sum gives the same, when the choice of the engine is free and tracing does not forbid to look."""
    if engine != "auto" or torch.compiler.is_compiling() or a.ndim < 2 or b.ndim < 2:
        return None
    table = ops.certify(a, b, lut, accumulation)
    return ops.as_table(table, accumulation, b[0].numel() if len(b) else 0)


def _foreign_gemm(a: Tensor, b: Tensor, lut: Tensor, accumulation: Accumulation, engine: str) -> Tensor:
    shape = gemm_output(a.shape, b.shape)
    _require_portable(engine)
    table = ops.certify(a, b, lut, accumulation)
    if 0 in (*shape, a.shape[1]):
        return torch.zeros(shape, dtype=torch.int32, device=a.device)
    return _sequential_torch.gemm(a[None], b[None], table, accumulation)[0]


def _foreign_conv2d(
    a: Tensor, w: Tensor, lut: Tensor, accumulation: Accumulation, geometry: Geometry, pad_code: int, engine: str
) -> Tensor:
    shape = geometry.output(a.shape, w.shape)
    _require_portable(engine)
    table = ops.certify(a, w, lut, accumulation)
    ops.check_pad_code(pad_code, table)
    if 0 in (*shape, w.shape[1]):
        return torch.zeros(shape, dtype=torch.int32, device=a.device)
    return _sequential_torch.conv2d(a, w, table, accumulation, geometry, pad_code)


def _require_portable(engine: str) -> None:
    if engine not in {"auto", "torch"}:
        raise FormatError(f"an adder without a bit rule runs on engine 'torch', not on {engine!r}; give it `bit_rule` or use engine='auto'")
