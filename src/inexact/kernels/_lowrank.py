"""Engine `lowrank`: a table that is a sum of few byte products becomes as many 8-bit matrix products, added modulo 2**32.

The true sums fit int32 (`_check.check_overflow`), so arithmetic modulo 2**32 gives them exactly whatever the intermediate values.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inexact.core.errors import FormatError
from inexact.core.files import sha256
from inexact.kernels import _dispatch
from inexact.kernels._bytes import ByteFactors, cheapest
from inexact.kernels._exact import exact_conv2d, exact_gemm
from inexact.kernels._factors import find
from inexact.kernels._geometry import Geometry
from inexact.kernels._split import Split, is_narrow
from inexact.kernels._table import compiled

MOST_RANK = 10
"""Tables of higher rank are left to the table engine, which no number of products as large would beat."""

_CACHED = 256


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """What is known of a table. factors: None when its rank is above `MOST_RANK`; split: None when its error exceeds a byte.

    narrow: its products with one weight span less than 256.
    """

    factors: ByteFactors | None
    split: Split | None
    narrow: bool

    @cached_property
    def native(self) -> object:
        """The factors as the compiled core takes them."""
        return None if self.factors is None else _native(self.factors)

    @cached_property
    def native_product(self) -> object:
        """Those of the split's product."""
        return None if self.split is None else _native(self.split.product)


_found: OrderedDict[tuple[object, ...], Entry] = OrderedDict()
_guard = threading.Lock()
_weights = np.random.default_rng(0).integers(2**63, size=256 * 256, dtype=np.uint64) * 2 + 1


def factors_of(lut: Tensor) -> ByteFactors | None:
    """Proven byte factors of an int32 table, or None when its rank is above `MOST_RANK`."""
    return entry(lut).factors


def entry(lut: Tensor) -> Entry:
    """What is known of an int32 table. Remembered: a known table costs microseconds."""
    table = lut.detach().cpu().contiguous().numpy()
    key = _key(table)
    with _guard:
        if key in _found:
            _found.move_to_end(key)
            return _found[key]
    found = _search(table)
    with _guard:
        _found[key] = found
        while len(_found) > _CACHED:
            _found.popitem(last=False)
    return found


def _key(table: np.ndarray[Any, np.dtype[np.int32]]) -> tuple[object, ...]:
    """Identity of a table: its shape and a 64-bit sum of its entries under fixed random odd weights; much faster than SHA-256."""
    flat = table.reshape(-1)
    words = flat.view(np.uint64) if flat.size % 2 == 0 else flat.astype(np.uint64)
    return (*table.shape, int((words * _weights[: words.size]).sum(dtype=np.uint64)))


def _search(table: np.ndarray[Any, np.dtype[np.int32]]) -> Entry:
    wide = table.astype(np.int64)
    found = find(wide, MOST_RANK)
    factors = None if found is None else ByteFactors.prove(wide, cheapest(found), sha256(table.astype("<i4").tobytes()))
    return Entry(factors=factors, split=Split.find(wide), narrow=is_narrow(wide))


def isas() -> tuple[str, ...]:
    """Instruction-set paths of this engine that the processor runs, fastest first; empty without the core."""
    module = _dispatch.core()
    return tuple(module.lowrank_isas()) if module else ()


def path() -> str:
    """The path in use: the engine's own for the instruction set in use, else the portable one."""
    chosen = _dispatch.isa()
    return chosen if chosen in isas() else "scalar"


def gemm(a: Tensor, b: Tensor, lut: Tensor, isa: str | None = None) -> Tensor:
    """a uint8 [M, K], b uint8 [N, K], lut int32 -> int32 [M, N]. FormatError when the table has no cheap factors."""
    known, factors = _certified(lut)
    module = _dispatch.core()
    if module is None or a.device.type != "cpu":
        return _products(a, b, factors, None, 0)
    out = torch.empty(a.shape[0], b.shape[0], dtype=torch.int32)
    module.lowrank_gemm(_array(a), _array(b), known.native, out.numpy(), _dispatch.threads(), isa or path())
    return out


def conv2d(a: Tensor, w: Tensor, lut: Tensor, geometry: Geometry, pad_code: int, isa: str | None = None) -> Tensor:
    """a uint8 [N, C, H, W], w uint8 [O, C/groups, kh, kw] -> int32 [N, O, H', W']; errors as for gemm."""
    known, factors = _certified(lut)
    module = _dispatch.core()
    if module is None or a.device.type != "cpu":
        return _products(a, w, factors, geometry, pad_code)
    out = torch.empty(geometry.output(a.shape, w.shape), dtype=torch.int32)
    g = geometry
    arrays = (_array(a), _array(w), known.native, out.numpy())
    module.lowrank_conv2d(*arrays, g.stride, g.padding, g.dilation, g.groups, pad_code, _dispatch.threads(), isa or path())
    return out


def split_gemm(a: Tensor, b: Tensor, lut: Tensor) -> Tensor:
    """`gemm` through the table's split. FormatError when it has none."""
    product, error = split_of(lut)
    out = torch.empty(a.shape[0], b.shape[0], dtype=torch.int32)
    compiled().split_gemm(_array(a), _array(b), product, error, out.numpy(), _dispatch.threads(), _dispatch.isa())
    return out


def split_conv2d(a: Tensor, w: Tensor, lut: Tensor, geometry: Geometry, pad_code: int) -> Tensor:
    """`conv2d` through the table's split; errors as for split_gemm."""
    product, error = split_of(lut)
    out = torch.empty(geometry.output(a.shape, w.shape), dtype=torch.int32)
    g = geometry
    arrays = (_array(a), _array(w), product, error, out.numpy())
    compiled().split_conv2d(*arrays, g.stride, g.padding, g.dilation, g.groups, pad_code, _dispatch.threads(), _dispatch.isa())
    return out


def split_of(lut: Tensor) -> tuple[object, object]:
    """The factors of the product as the compiled core takes them, and the errors."""
    known = entry(lut)
    if known.split is None:
        raise FormatError(
            "engine 'split' needs a table whose errors with one weight span less than 256, and whose products do not, unlike this one's; "
            "use engine='table' or 'auto'"
        )
    return known.native_product, known.split.error


def _certified(lut: Tensor) -> tuple[Entry, ByteFactors]:
    known = entry(lut)
    if known.factors is None:
        raise FormatError(
            f"engine 'lowrank' needs a table of rank at most {MOST_RANK} (less a function of the weight), which this one exceeds; "
            "use engine='table' or 'auto'"
        )
    return known, known.factors


def _native(factors: ByteFactors) -> object:
    offset = np.zeros(256, np.int32)
    offset[: len(factors.offset)] = factors.offset.astype(np.int32)
    signed = [term.a_signed for term in factors.terms]
    return compiled().Factors(factors.maps("a"), factors.maps("b"), signed, factors.shifts, offset)


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
