"""Engine `lowrank`: a table that is a sum of few byte products becomes as many 8-bit matrix products, added modulo 2**32.

The true sums fit int32 (`_check.check_overflow`), so arithmetic modulo 2**32 gives them exactly whatever the intermediate values.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inexact.core.errors import FormatError, MissingDependencyError
from inexact.core.files import sha256
from inexact.kernels import _dispatch
from inexact.kernels._bytes import ByteFactors, cheapest
from inexact.kernels._exact import exact_conv2d, exact_gemm
from inexact.kernels._factors import Factors, find
from inexact.kernels._geometry import Geometry

MOST_RANK = 10
"""Tables of higher rank are left to the table engine, which no number of products as large would beat."""

_CACHED = 256

Entry = tuple[ByteFactors | None, dict[str, Any]]

_found: OrderedDict[tuple[object, ...], Entry] = OrderedDict()
_guard = threading.Lock()
_weights = np.random.default_rng(0).integers(2**63, size=256 * 256, dtype=np.uint64) * 2 + 1


def factors_of(lut: Tensor) -> ByteFactors | None:
    """Proven byte factors of an int32 table, or None when its rank is above `MOST_RANK`. Remembered: a known table costs microseconds."""
    return entry(lut)[0]


def state(table: np.ndarray[Any, np.dtype[np.int32]], factors: Factors) -> bool:
    """Remember stated `factors` for `table` unless cheaper ones are known; False when they do not reproduce every entry."""
    wide = table.astype(np.int64)
    if not np.array_equal(factors.table(), wide):
        return False
    proven = ByteFactors.prove(wide, cheapest(factors), sha256(table.astype("<i4").tobytes()))
    if proven is None:
        return False
    key = _key(table)
    with _guard:
        held = _found.get(key, (None,))[0]
        if held is None or len(proven.terms) < len(held.terms):
            _remember(key, proven)
    return True


def entry(lut: Tensor) -> Entry:
    """Factors of a table, None when its rank is above `MOST_RANK`, and what was made from them."""
    table = lut.detach().cpu().contiguous().numpy()
    key = _key(table)
    with _guard:
        if key in _found:
            _found.move_to_end(key)
            return _found[key]
    factors = _search(table)
    with _guard:
        return _remember(key, factors)


def _remember(key: tuple[object, ...], factors: ByteFactors | None) -> Entry:
    _found[key] = (factors, {})
    while len(_found) > _CACHED:
        _found.popitem(last=False)
    return _found[key]


def _key(table: np.ndarray[Any, np.dtype[np.int32]]) -> tuple[object, ...]:
    """Identity of a table: its shape and a 64-bit sum of its entries under fixed random odd weights; much faster than SHA-256."""
    flat = table.reshape(-1)
    words = flat.view(np.uint64) if flat.size % 2 == 0 else flat.astype(np.uint64)
    return (*table.shape, int((words * _weights[: words.size]).sum(dtype=np.uint64)))


def _search(table: np.ndarray[Any, np.dtype[np.int32]]) -> ByteFactors | None:
    wide = table.astype(np.int64)
    factors = find(wide, MOST_RANK)
    return None if factors is None else ByteFactors.prove(wide, cheapest(factors), sha256(table.astype("<i4").tobytes()))


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
    factors, made = _certified(lut)
    module = _dispatch.core()
    if module is None or a.device.type != "cpu":
        return _products(a, b, factors, None, 0)
    out = torch.empty(a.shape[0], b.shape[0], dtype=torch.int32)
    module.lowrank_gemm(_array(a), _array(b), native(factors, made), out.numpy(), _dispatch.threads(), isa or path())
    return out


def conv2d(a: Tensor, w: Tensor, lut: Tensor, geometry: Geometry, pad_code: int, isa: str | None = None) -> Tensor:
    """a uint8 [N, C, H, W], w uint8 [O, C/groups, kh, kw] -> int32 [N, O, H', W']; errors as for gemm."""
    factors, made = _certified(lut)
    module = _dispatch.core()
    if module is None or a.device.type != "cpu":
        return _products(a, w, factors, geometry, pad_code)
    out = torch.empty(geometry.output(a.shape, w.shape), dtype=torch.int32)
    g = geometry
    arrays = (_array(a), _array(w), native(factors, made), out.numpy())
    module.lowrank_conv2d(*arrays, g.stride, g.padding, g.dilation, g.groups, pad_code, _dispatch.threads(), isa or path())
    return out


def _certified(lut: Tensor) -> tuple[ByteFactors, dict[str, Any]]:
    factors, made = entry(lut)
    if factors is None:
        raise FormatError(
            f"engine 'lowrank' needs a table of rank at most {MOST_RANK} (less a function of the weight), which this one exceeds; "
            "use engine='table' or 'auto'"
        )
    return factors, made


def native(factors: ByteFactors, made: dict[str, Any]) -> object:
    """An entry with factors as the compiled core takes it."""
    module = _dispatch.core()
    if module is None:
        raise MissingDependencyError(f"the compiled core is not installed; {_dispatch.CORE_ADVICE}")
    if "native" not in made:
        offset = np.zeros(256, np.int32)
        offset[: len(factors.offset)] = factors.offset.astype(np.int32)
        signed = [term.a_signed for term in factors.terms]
        made["native"] = module.Factors(factors.maps("a"), factors.maps("b"), signed, factors.shifts, offset)
    return made["native"]


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
