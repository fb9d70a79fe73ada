"""Whole layers through the compiled core: float32 in, float32 out, one pass over the activations and one over the outputs.

The torch operators `inexact::conv2d_layer` and `inexact::linear_layer` quantise, sum through the table, correct and scale. Each step
has the arithmetic of the portable path in `inexact.nn`, in the same order: results agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from inexact.core.errors import FormatError
from inexact.kernels import _choice, _dispatch
from inexact.kernels._check import check_codes, check_range, check_window, checked_table
from inexact.kernels._cost import Layer
from inexact.kernels._facts import Facts
from inexact.kernels._geometry import Geometry, gemm_output, geometry_of
from inexact.kernels._known import known_of
from inexact.kernels._memory_format import is_channels_last
from inexact.kernels._table import compiled


class _Flat(NamedTuple):
    """What a torch operator takes for `Surroundings`: it knows tensors and lists of numbers only."""

    constants: Tensor
    bias: Tensor | None
    column: Tensor | None
    padding: Tensor | None
    integer: Tensor | None
    codes: Sequence[int]  # zero, low, high, bits, whether padding is skipped
    reals: Sequence[float]  # scale and integer_out


_Around = tuple[Tensor, Tensor | None, Tensor | None, Tensor | None, Tensor | None, Sequence[int], Sequence[float]]
"""The fields of `_Flat`, one argument each."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a layer of O output channels does before and after its sums.

    scale, zero, low, high, bits: the quantiser of the activations and the bits of its patterns.
    constants: float64 [3, O], integers but for the second row. An output is `(sum - constants[0] - constants[2] * (sum of the codes in
    its window) - (sum of column[code]) - padding) * constants[1]`, rounded to float32, plus `bias`.
    bias: float32 [O]. column: int32 [2**bits]. padding: float64 [O, pixels of the output]. None stands for zeros.
    skip_padding: padded positions add nothing to the sums of `column`.
    integer: int64 [2, O], multipliers and exponents of an integer requantisation, which then replaces constants[1] and the bias;
    integer_out: zero point, scale, least and greatest code of its result.
    name: of the layer, for messages.
    """

    name: str
    scale: float
    zero: int
    low: int
    high: int
    bits: int
    constants: Tensor
    bias: Tensor | None = None
    column: Tensor | None = None
    padding: Tensor | None = None
    skip_padding: bool = False
    integer: Tensor | None = None
    integer_out: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @property
    def flat(self) -> _Flat:
        """As arguments of a torch operator."""
        codes = [self.zero, self.low, self.high, self.bits, int(self.skip_padding)]
        reals = [self.scale, *self.integer_out]
        return _Flat(self.constants, self.bias, self.column, self.padding, self.integer, codes, reals)


def compiled_layer_serves(x: Tensor) -> bool:
    """Whether the compiled core can take this input: an ordinary, not empty float32 tensor on the CPU."""
    plain = type(x) in (Tensor, torch.nn.Parameter) and x.dtype == torch.float32 and x.device.type == "cpu" and x.numel() > 0
    return plain and _dispatch.core() is not None


def conv2d_layer(x: Tensor, w: Tensor, lut: Tensor, around: Surroundings, geometry: Geometry) -> Tensor:
    """A convolution of float32 x [N, C, H, W] with patterns w [O, C/groups, kh, kw] -> float32 [N, O, H', W'].

    x may be contiguous or channels_last; the result is arranged as x is.
    FormatError for activations that are not finite, and whatever `conv2d` refuses.
    """
    g = geometry
    spread = [*g.stride, *g.padding, *g.dilation, g.groups]
    found: Tensor = torch.ops.inexact.conv2d_layer(x, w, lut, *around.flat, spread, around.name)
    return found


def linear_layer(x: Tensor, w: Tensor, lut: Tensor, around: Surroundings) -> Tensor:
    """A linear layer of float32 x [M, K] with patterns w [O, K] -> float32 [M, O]; errors as for `conv2d_layer`."""
    found: Tensor = torch.ops.inexact.linear_layer(x, w, lut, *around.flat, around.name)
    return found


def _conv2d_layer(x: Tensor, w: Tensor, lut: Tensor, *rest: *tuple[*_Around, Sequence[int], str]) -> Tensor:
    around, spread, name = _Flat(*rest[:7]), rest[7], rest[8]
    shape = _geometry(spread).output(x.shape, w.shape)
    table, *ways = _certified(w, lut, around.codes[3], Layer.convolution(shape, w.shape, spread[8]))
    last = is_channels_last(x)
    source = x.permute(0, 2, 3, 1) if last else x.contiguous()
    out = torch.empty([shape[0], *shape[2:], shape[1]] if last else shape, dtype=torch.float32)
    arrays = (w.contiguous().numpy(), table, out.numpy())
    used = (_core_surroundings(around), _dispatch.threads(), _dispatch.isa(), *ways)
    finite = compiled().conv2d_layer(source.numpy(), last, *arrays, tuple(spread), *used)
    return _checked(out.permute(0, 3, 1, 2) if last else out, name, finite=finite)


def _conv2d_shape(x: Tensor, w: Tensor, lut: Tensor, *rest: *tuple[*_Around, Sequence[int], str]) -> Tensor:
    n, channels, height, width = _geometry(rest[7]).output(x.shape, w.shape)
    if is_channels_last(x):
        return x.new_empty((n, height, width, channels)).permute(0, 3, 1, 2)
    return x.new_empty((n, channels, height, width))


def _linear_layer(x: Tensor, w: Tensor, lut: Tensor, *rest: *tuple[*_Around, str]) -> Tensor:
    around, name = _Flat(*rest[:7]), rest[7]
    shape = gemm_output(x.shape, w.shape)
    table, *ways = _certified(w, lut, around.codes[3], Layer.product(*shape, x.shape[1]))
    out = torch.empty(shape, dtype=torch.float32)
    arrays = (x.contiguous().numpy(), w.contiguous().numpy(), table, out.numpy())
    used = (_core_surroundings(around), _dispatch.threads(), _dispatch.isa(), *ways)
    return _checked(out, name, finite=compiled().linear_layer(*arrays, *used))


def _linear_shape(x: Tensor, w: Tensor, lut: Tensor, *_: *tuple[*_Around, str]) -> Tensor:
    return x.new_empty(gemm_output(x.shape, w.shape))


def _geometry(spread: Sequence[int]) -> Geometry:
    return geometry_of(tuple(spread[:2]), tuple(spread[2:6]), tuple(spread[6:8]), spread[8])


_known = Facts(known_of)


def _certified(w: Tensor, lut: Tensor, bits: int, layer: Layer) -> tuple[object, object | None, object | None]:
    """The table, checked (no code outside it, no sum beyond int32); the factors and errors that engine "auto" works with: for the core."""
    check_codes("w", w, lut)
    lut = checked_table(lut)
    if 2**bits > lut.shape[0]:
        raise FormatError(f"activation codes of {bits} bits need a table of {2**bits} rows, not {lut.shape[0]}")
    check_range("w", w, lut.shape[1])
    known = _known.of(lut)
    check_window(known.peak, w[0].numel())
    engine = _choice.weigh(known, layer).engine
    if engine == "split":
        return known.table, known.native_product, known.native_error
    return known.table, known.native_factors if engine == "lowrank" else None, None


def _core_surroundings(flat: _Flat) -> object:
    bias, column, padding, integer = (None if t is None else t.detach().contiguous().numpy() for t in flat[1:5])
    return compiled().Surroundings(
        scale=flat.reals[0],
        numbers=tuple(flat.codes[:4]),
        constants=flat.constants.contiguous().numpy(),
        bias=bias,
        column=column,
        skip_padding=bool(flat.codes[4]),
        padding=padding,
        integer=integer,
        integer_out=tuple(flat.reals[1:]),
    )


def _checked(out: Tensor, name: str, *, finite: bool) -> Tensor:
    if not finite:
        raise FormatError(
            f"activations entering layer {name} must be finite; NaN or infinity came: check the input and the weights before it"
        )
    return out


_TENSORS = "Tensor x, Tensor w, Tensor lut, Tensor constants, Tensor? bias, Tensor? column, Tensor? padding, Tensor? integer"
_ARGUMENTS = f"{_TENSORS}, int[] codes, float[] reals"
# Defined without the `custom_op` decorator, whose first call imports torch's compiler: a second, and 60 MB.
_library = torch.library.Library("inexact", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define(f"conv2d_layer({_ARGUMENTS}, int[] spread, str name) -> Tensor")  # type: ignore[no-untyped-call]
_library.define(f"linear_layer({_ARGUMENTS}, str name) -> Tensor")  # type: ignore[no-untyped-call]
_library.impl("conv2d_layer", _conv2d_layer, "CPU")  # type: ignore[no-untyped-call]
_library.impl("linear_layer", _linear_layer, "CPU")  # type: ignore[no-untyped-call]
torch.library.register_fake("inexact::conv2d_layer", _conv2d_shape, lib=_library)
torch.library.register_fake("inexact::linear_layer", _linear_shape, lib=_library)
