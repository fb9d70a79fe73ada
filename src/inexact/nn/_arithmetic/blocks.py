"""Block formats: exact sums of one block's products, scaled by both blocks' powers of two, added in float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact import kernels
from inexact.nn._arithmetic._base import CodeArithmetic
from inexact.nn._arithmetic.numbers import NumberArithmetic
from inexact.nn._as_convolution import AsConvolution
from inexact.nn._sums import conv2d
from inexact.precision import Block

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation
    from inexact.nn._layer import ApproxLayer


@final
@dataclass(frozen=True, kw_only=True)
class BlockArithmetic(CodeArithmetic):
    """elements: the arithmetic of the codes of one block, of which there are exact sums; between blocks they are float32."""

    form: Block
    elements: CodeArithmetic

    @property
    def compiles(self) -> bool:
        """False."""
        return False

    @property
    def step(self) -> float:
        """That of the elements."""
        return self.elements.step

    def table(self) -> NDArray[np.int32]:
        """That of the elements."""
        return self.elements.table()

    def a_codes(self, layer: ApproxLayer, x: Tensor) -> Tensor:
        """Elements of blocks of channels."""
        padded = layer.padded(x)
        shape = layer.as_convolution(padded)
        return self.form.split(shape.image, shape.groups)[0].reshape(padded.shape)

    def b_codes(self, layer: ApproxLayer) -> Tensor:
        """Elements of blocks of channels."""
        return self.form.split(layer.weight)[0]

    def a_patterns(self, a: Tensor) -> Tensor:
        """Those of the elements."""
        return self.elements.a_patterns(a)

    def b_patterns(self, b: Tensor) -> Tensor:
        """Those of the elements."""
        return self.elements.b_patterns(b)

    def sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """Those of the elements, without the scales of blocks."""
        return self.elements.sums(part, a, b)

    def true_sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """Those of the elements, without the scales of blocks."""
        return self.elements.true_sums(part, a, b)

    def quantised(self, layer: ApproxLayer, x: Tensor) -> tuple[Tensor, Tensor]:
        """By the format; nothing is clipped."""
        a = self.form.restored(x if x.dim() == 4 else x.reshape(-1, x.shape[-1]), layer.contraction_groups).reshape(x.shape)
        return x + (a - x).detach(), layer.weight + (self.form.restored(layer.weight) - layer.weight).detach()

    def outputs(self, layer: ApproxLayer, x: Tensor) -> Tensor:
        """Sums in the order the format defines, and the bias."""
        shape = layer.as_convolution(layer.padded(x))
        result = layer.restored_shape(self._blocked_sums(layer, shape), x)
        return result if layer.bias is None else result + layer.per_channel(layer.bias)

    def _blocked_sums(self, layer: ApproxLayer, shape: AsConvolution) -> Tensor:
        """float32 [N, O, H', W'], the sums of a layer without its bias."""
        form = self.form
        a, a_powers = form.split(shape.image, shape.groups)
        b, b_powers = form.split(shape.weight)
        step = self.step if form.system is not None else form.element_step**2
        total: Tensor | None = None
        for row, column, block, channels in _blocks(shape, form.size):
            met = shape.under(a, row, column)
            left = met.reshape(len(met), shape.groups, -1, *met.shape[2:])[:, :, channels].flatten(1, 2)
            right = b[:, channels, row : row + 1, column : column + 1]
            sums = self._contract(layer, left, right, shape.groups)
            by_group = shape.under(a_powers[:, :, block], row, column).repeat_interleave(len(b) // shape.groups, dim=1)
            power = by_group + b_powers[:, 0, block, row, column].reshape(1, -1, 1, 1)
            term = torch.ldexp(sums * step, power.int()).float()
            total = term if total is None else total + term
        assert total is not None
        return total

    def _contract(self, layer: ApproxLayer, a: Tensor, b: Tensor, groups: int) -> Tensor:
        """float64 integers [N, O, H', W'] of one block of codes: a [N, C, H', W'], b [O, C/groups, 1, 1]."""

        def exact(x: Tensor, y: Tensor, peak: int) -> Tensor:
            return kernels.exact_conv2d(x.contiguous(), y, groups=groups, peak=peak, dtype=torch.float64)

        if isinstance(self.elements, NumberArithmetic):
            return self.elements.contracted(a, b, exact, b.shape[1])
        if self.rule.exact:
            return exact(a, b, layer.a_peak)
        left, right = self.a_patterns(a).contiguous(), self.b_patterns(b).contiguous()
        return conv2d(self.rule, left, right, layer.table, (1, 1), (1, 1), groups).double()


def _blocks(shape: AsConvolution, size: int) -> Iterator[tuple[int, int, int, slice]]:
    _, each, rows, columns = shape.weight.shape
    for row in range(rows):
        for column in range(columns):
            for block, start in enumerate(range(0, each, size)):
                yield row, column, block, slice(start, min(start + size, each))
