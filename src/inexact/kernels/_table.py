"""Engines of the compiled core: results are allocated here, the core is handed contiguous arrays and the interpreter lock is released."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inexact.core.errors import MissingDependencyError
from inexact.kernels import _dispatch
from inexact.kernels._geometry import Geometry

if TYPE_CHECKING:
    from inexact.kernels._known import Known


def gemm(a: Tensor, b: Tensor, known: Known, path: str, scheme: str = "auto") -> Tensor:
    """a uint8 [M, K], b uint8 [N, K], the table known -> int32 [M, N].

    path: an instruction set of `isas()`, or "reference". scheme: "auto"; or "fix_weight", "fix_activation" (the table row of that
    operand is held), "stack_activation", "stack_weight" (the products of all its codes are stacked; of weights in products only).
    """
    out = torch.empty(a.shape[0], b.shape[0], dtype=torch.int32)
    compiled().gemm(_array(a), _array(b), known.table, out.numpy(), _dispatch.threads(), path, scheme)
    return out


def conv2d(a: Tensor, w: Tensor, known: Known, geometry: Geometry, pad_code: int, path: str, scheme: str = "auto") -> Tensor:
    """a uint8 [N, C, H, W], w uint8 [O, C/groups, kh, kw] -> int32 [N, O, H', W']; `path` and `scheme` as for gemm."""
    out = torch.empty(geometry.output(a.shape, w.shape), dtype=torch.int32)
    g = geometry
    arrays = (_array(a), _array(w), known.table, out.numpy())
    compiled().conv2d(*arrays, g.stride, g.padding, g.dilation, g.groups, pad_code, _dispatch.threads(), path, scheme)
    return out


def slope_gemm(a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
    """a uint8 [M, K], b uint8 [N, K], g float32 [M, N], slopes float32 -> float32 [M, K] and [N, K]."""
    by_a, by_b = torch.empty(a.shape), torch.empty(b.shape)
    arrays = (_array(a), _array(b), _array(g), _array(along_a), _array(along_b))
    compiled().slope_gemm(*arrays, by_a.numpy(), by_b.numpy(), _dispatch.threads())
    return by_a, by_b


def _array(tensor: Tensor) -> object:
    return tensor.detach().contiguous().numpy()


def compiled() -> ModuleType:
    """The compiled core. Raises MissingDependencyError without it."""
    module = _dispatch.core()
    if module is None:
        raise MissingDependencyError(f"the compiled core is not installed; {_dispatch.CORE_ADVICE}")
    return module
