"""Engine `lowrank`: a table that is a sum of few byte products becomes as many 8-bit matrix products, added modulo 2**32.

The true sums fit int32 (`_check.check_window`), so arithmetic modulo 2**32 gives them exactly whatever the intermediate values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inexact.core.errors import FormatError
from inexact.kernels import _dispatch
from inexact.kernels._bytes import ByteFactors
from inexact.kernels._exact import exact_conv2d, exact_gemm
from inexact.kernels._geometry import Geometry
from inexact.kernels._known import MOST_RANK, Known
from inexact.kernels._table import compiled


def isas() -> tuple[str, ...]:
    """Instruction-set paths of this engine that the processor runs, fastest first; empty without the core."""
    module = _dispatch.core()
    return tuple(module.lowrank_isas()) if module else ()


def path() -> str:
    """The path in use: the engine's own for the instruction set in use, else the portable one."""
    chosen = _dispatch.isa()
    return chosen if chosen in isas() else "scalar"


def gemm(a: Tensor, b: Tensor, known: Known, isa: str | None = None) -> Tensor:
    """a uint8 [M, K], b uint8 [N, K], the table known -> int32 [M, N]. FormatError when it has no cheap factors."""
    factors = _certified(known)
    module = _dispatch.core()
    if module is None or a.device.type != "cpu":
        return _products(a, b, factors, None, 0)
    out = torch.empty(a.shape[0], b.shape[0], dtype=torch.int32)
    module.lowrank_gemm(_array(a), _array(b), known.native_factors, out.numpy(), _dispatch.threads(), isa or path())
    return out


def conv2d(a: Tensor, w: Tensor, known: Known, geometry: Geometry, pad_code: int, isa: str | None = None) -> Tensor:
    """a uint8 [N, C, H, W], w uint8 [O, C/groups, kh, kw] -> int32 [N, O, H', W']; errors as for gemm."""
    factors = _certified(known)
    module = _dispatch.core()
    if module is None or a.device.type != "cpu":
        return _products(a, w, factors, geometry, pad_code)
    out = torch.empty(geometry.output(a.shape, w.shape), dtype=torch.int32)
    g = geometry
    arrays = (_array(a), _array(w), known.native_factors, out.numpy())
    module.lowrank_conv2d(*arrays, g.stride, g.padding, g.dilation, g.groups, pad_code, _dispatch.threads(), isa or path())
    return out


def split_gemm(a: Tensor, b: Tensor, known: Known) -> Tensor:
    """`gemm` through the table's split. FormatError when it has none."""
    product, error = split_of(known)
    out = torch.empty(a.shape[0], b.shape[0], dtype=torch.int32)
    compiled().split_gemm(_array(a), _array(b), product, error, out.numpy(), _dispatch.threads(), _dispatch.isa())
    return out


def split_conv2d(a: Tensor, w: Tensor, known: Known, geometry: Geometry, pad_code: int) -> Tensor:
    """`conv2d` through the table's split; errors as for split_gemm."""
    product, error = split_of(known)
    out = torch.empty(geometry.output(a.shape, w.shape), dtype=torch.int32)
    g = geometry
    arrays = (_array(a), _array(w), product, error, out.numpy())
    compiled().split_conv2d(*arrays, g.stride, g.padding, g.dilation, g.groups, pad_code, _dispatch.threads(), _dispatch.isa())
    return out


def split_of(known: Known) -> tuple[object, object]:
    """The factors of the product, and the errors, as the compiled core takes them."""
    if known.split is None:
        raise FormatError(
            "engine 'split' needs a table whose errors with one weight span less than 256, and whose products do not, unlike this one's; "
            "use engine='table' or 'auto'"
        )
    return known.native_product, known.native_error


def _certified(known: Known) -> ByteFactors:
    if known.factors is None:
        raise FormatError(
            f"engine 'lowrank' needs a table of rank at most {MOST_RANK} (less a function of the weight), which this one exceeds; "
            "use engine='table' or 'auto'"
        )
    return known.factors


def _array(tensor: Tensor) -> object:
    return tensor.detach().contiguous().numpy()


def _products(a: Tensor, b: Tensor, factors: ByteFactors, geometry: Geometry | None, pad_code: int) -> Tensor:
    """The same by torch operators on any device: exact products of the bytes' values, added modulo 2**32 in int64."""
    if geometry is not None:
        top, bottom, left_side, right_side = geometry.padding
        a = functional.pad(a, (left_side, right_side, top, bottom), value=pad_code)
    total = torch.zeros((), dtype=torch.int64, device=a.device)
    for term in factors.terms:
        left, right = _mapped(term.a, a), _mapped(term.b, b)
        peak = int(np.abs(term.a).max())
        if geometry is None:
            sums = exact_gemm(left, right, peak=peak)
        else:
            sums = exact_conv2d(left, right, geometry.stride, 0, geometry.dilation, geometry.groups, peak=peak)
        total = total + (sums << term.exponent)
    constant = _mapped(factors.offset, b).flatten(1).sum(1)
    total = total + (constant if geometry is None else constant[:, None, None])
    return total.to(torch.int32)


def _mapped(values: np.ndarray[Any, np.dtype[np.int64]], codes: Tensor) -> Tensor:
    return torch.from_numpy(values).to(codes.device)[codes.long()]
