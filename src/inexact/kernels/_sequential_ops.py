"""The torch operators `inexact::sequential_gemm` and `inexact::sequential_conv2d`: an accumulator is passed as eight integers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inexact.core.accumulation import BIT_RULES, Accumulation, BitRule
from inexact.core.errors import FormatError, MissingDependencyError, UnknownNameError, near
from inexact.kernels import _dispatch, _sequential_torch
from inexact.kernels._check import ACCUMULATOR, check_codes, check_range, checked_table, limits
from inexact.kernels._geometry import Geometry, gemm_output
from inexact.kernels._operator import operator, shaped

ENGINES = ("reference", "sequential", "torch")


def encoded(accumulation: Accumulation) -> list[int]:
    """Kind, low, step, reach of the adder, width, saturate, chained, group; the adder must have a bit rule."""
    rule, order = accumulation.rule or BitRule(), (int(accumulation.chained), accumulation.group)
    return [BIT_RULES.index(rule.kind), rule.low, rule.step, rule.reach, accumulation.width, int(accumulation.saturate), *order]


def _decoded(code: Sequence[int]) -> Accumulation:
    kind, low, step, reach, width, saturate, chained, group = code
    rule = BitRule(kind=BIT_RULES[kind], low=low, step=step, reach=reach)
    return Accumulation(rule=rule, add=_ruled, width=width, saturate=bool(saturate), chained=bool(chained), group=group)


def _ruled(_a: object, _b: object) -> object:
    raise AssertionError("an adder with a bit rule is never called as a function")


@operator("sequential_gemm")
def sequential_gemm(a: Tensor, b: Tensor, lut: Tensor, accumulation: Sequence[int], engine: str = "auto") -> Tensor:
    """uint8 codes a [M, K], b [N, K] through lut int32 and the accumulator -> int32 [M, N]."""
    shape = gemm_output(a.shape, b.shape)
    found = _decoded(accumulation)
    lut = certify(a, b, lut, found)
    engine = resolve(engine, a.device.type)
    if 0 in (*shape, a.shape[1]):
        return torch.zeros(shape, dtype=torch.int32, device=a.device)
    if engine == "torch":
        return _sequential_torch.gemm(a[None], b[None], lut, found)[0]
    out = torch.empty(shape, dtype=torch.int32)
    _core_call("sequential_gemm", (a, b, lut, out), list(accumulation), (), engine)
    return out


@shaped("sequential_gemm")
def _(a: Tensor, b: Tensor, lut: Tensor, accumulation: Sequence[int], engine: str = "auto") -> Tensor:
    return a.new_empty(gemm_output(a.shape, b.shape), dtype=torch.int32)


@operator("sequential_conv2d")
def sequential_conv2d(
    a: Tensor,
    w: Tensor,
    lut: Tensor,
    accumulation: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    pad_code: int,
    engine: str = "auto",
) -> Tensor:
    """uint8 codes a [N, C, H, W], w [O, C/groups, kh, kw] through lut int32 and the accumulator -> int32 [N, O, H', W']."""
    geometry = Geometry.of(list(stride), list(padding), list(dilation), groups)
    shape = geometry.output(a.shape, w.shape)
    found = _decoded(accumulation)
    lut = certify(a, w, lut, found)
    check_pad_code(pad_code, lut)
    engine = resolve(engine, a.device.type)
    if 0 in (*shape, w.shape[1]):
        return torch.zeros(shape, dtype=torch.int32, device=a.device)
    if engine == "torch":
        return _sequential_torch.conv2d(a, w, lut, found, geometry, pad_code)
    out = torch.empty(shape, dtype=torch.int32)
    g = geometry
    _core_call("sequential_conv2d", (a, w, lut, out), list(accumulation), (g.stride, g.padding, g.dilation, g.groups, pad_code), engine)
    return out


@shaped("sequential_conv2d")
def _(
    a: Tensor,
    w: Tensor,
    lut: Tensor,
    accumulation: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    pad_code: int,
    engine: str = "auto",
) -> Tensor:
    geometry = Geometry.of(list(stride), list(padding), list(dilation), groups)
    return a.new_empty(geometry.output(a.shape, w.shape), dtype=torch.int32)


def certify(a: Tensor, b: Tensor, lut: Tensor, accumulation: Accumulation) -> Tensor:
    """The table, checked: no code outside it, every product within the accumulator."""
    check_codes("a", a, lut)
    check_codes("b", b, lut)
    lut = checked_table(lut)
    check_range("a", a, lut.shape[0])
    check_range("b", b, lut.shape[1])
    low, high = limits(lut)
    half = 1 << (accumulation.width - 1)
    if low < -half or high >= half:
        needed = max(-low - 1, high, 1).bit_length() + 1
        raise FormatError(
            f"an accumulator must hold every product of the table ({low}..{high}), "
            f"but {accumulation.width} bits hold {-half}..{half - 1}: give it at least {needed} bits"
        )
    return lut


def check_pad_code(pad_code: int, lut: Tensor) -> None:
    """FormatError unless `pad_code` is a code of the table."""
    if not 0 <= pad_code < lut.shape[0]:
        raise FormatError(f"pad_code must be a code of the table (0..{lut.shape[0] - 1}), not {pad_code}")


def resolve(engine: str, device: str) -> str:
    """The engine that serves `engine` ("auto" or a name) for tensors on `device`; errors as for the table engines."""
    if engine == "auto":
        return "sequential" if _dispatch.core() is not None and device == "cpu" else "torch"
    if engine not in ENGINES:
        raise UnknownNameError(f"an accumulator runs on engine auto, {', '.join(ENGINES)}, not on {engine!r}{near(engine, ENGINES)}")
    if engine != "torch" and _dispatch.core() is None:
        raise MissingDependencyError(f"engine {engine!r} needs the compiled core, which this installation lacks; {_dispatch.CORE_ADVICE}")
    if engine != "torch" and device != "cpu":
        raise FormatError(f"engine {engine!r} needs tensors on the CPU, not on {device!r}; move them or use engine='torch'")
    return engine


def as_table(lut: Tensor, accumulation: Accumulation, window: int) -> Tensor | None:
    """A table whose ordinary sum, wrapped, is the accumulator's; None where the order of the additions matters.

    Exact and truncating adders that wrap are such: the sum of (truncated) products modulo 2**width, in whatever order.
    """
    rule = accumulation.rule
    if rule is None or rule.kind not in {"exact", "truncated"} or accumulation.saturate:
        return None
    low, high = limits(lut)
    if window * (max(-low, high) + (1 << rule.low)) >= ACCUMULATOR:
        return None
    return lut >> rule.low << rule.low if rule.kind == "truncated" else lut


def wrapped(sums: Tensor, width: int) -> Tensor:
    """int32 sums as two's complement of `width` bits."""
    return sums << (32 - width) >> (32 - width)


def _core_call(name: str, tensors: tuple[Tensor, ...], accumulation: list[int], geometry: tuple[object, ...], engine: str) -> None:
    arrays = [tensor.detach().contiguous().numpy() for tensor in tensors[:-1]]
    path = "reference" if engine == "reference" else _dispatch.isa()
    getattr(_dispatch.core(), name)(*arrays, tensors[-1].numpy(), accumulation, *geometry, _dispatch.threads(), path)
