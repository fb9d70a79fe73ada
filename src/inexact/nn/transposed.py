"""The transposed convolution: only products of real pixels are formed, no zeros are inserted."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inexact import kernels
from inexact.core.errors import FormatError, PlanError
from inexact.nn._layer import ApproxLayer
from inexact.nn._prepared import Prepared
from inexact.nn._rule import Rule
from inexact.nn._straight_through import Gradients, by_autograd
from inexact.nn.gradients._contraction import Contraction, TransposedConvolution


@final
class ApproxConvTranspose2d(ApproxLayer):
    """An `nn.ConvTranspose2d` on the planned array; input [N, C, H, W].

    Every input pixel is multiplied with the whole kernel, one matrix product of depth C/groups, and the results are added where they
    overlap. That is what an array without zero insertion computes: the rule's `padding` has no effect, because nothing is padded.
    `weight` is held as [O, C/groups, kh, kw], output channels first, unlike the original's [C, O/groups, kh, kw].
    """

    def __init__(self, name: str, rule: Rule, source: nn.ConvTranspose2d) -> None:
        if rule.sums is not None:
            raise PlanError(
                f"layer {name} must have accumulator = 'exact': the order in which a transposed convolution adds overlaps is not modelled"
            )
        self.groups = source.groups
        super().__init__(name, rule, _outputs_first(source.weight, source.groups), source.bias)
        self.stride = source.stride
        self.dilation = source.dilation
        self.padding: tuple[int, int] = source.padding  # type: ignore[assignment]
        self.output_padding = source.output_padding

    takes_modes = False

    @property
    def pads(self) -> bool:
        """Always False: the padding of a transposed convolution crops its output."""
        return False

    def padded(self, x: Tensor) -> Tensor:
        """x itself. Raises FormatError unless x is [N, C, H, W]."""
        if x.dim() != 4:
            raise FormatError(f"input of layer {self.name} must be [N, C, H, W], not of shape {list(x.shape)}; add a batch dimension")
        return x

    def compiled(self, x: Tensor, prepared: Prepared) -> Tensor:
        """The portable path: the compiled layer does not add overlapping results."""
        return self.emulated(x)

    def table_sums(self, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
        """[N, O, H', W'], float64 integers. Taps that meet no pixel count as `za (b - zb)`, which the zero-point terms take away."""
        n, _, height, width = a.shape
        rows = a.reshape(n, self.groups, -1, height * width).permute(1, 0, 3, 2).flatten(1, 2)
        columns = b.reshape(self.groups, -1, *b.shape[1:]).permute(0, 1, 3, 4, 2).flatten(1, 3)
        sums = [kernels.gemm(r.contiguous(), c.contiguous(), table) for r, c in zip(rows, columns, strict=True)]
        taps = torch.stack(sums).reshape(self.groups, n, height * width, -1).permute(1, 0, 3, 2).flatten(1, 2)
        return self._overlapped(taps.double(), (height, width)) + self.a_zero.double() * self._absent(b, a.shape)

    def _overlapped(self, taps: Tensor, size: tuple[int, int]) -> Tensor:
        """[N, O kh kw, H W], what each pixel contributes at each tap, as [N, O, H', W']."""
        kernel = (self.weight.shape[2], self.weight.shape[3])
        extent = [(size[i] - 1) * self.stride[i] + self.dilation[i] * (kernel[i] - 1) + 1 for i in range(2)]
        whole = F.fold(taps, (extent[0], extent[1]), kernel, self.dilation, 0, self.stride)
        (top, left), (more_rows, more_columns) = self.padding, self.output_padding
        return F.pad(whole, (-left, more_columns - left, -top, more_rows - top))

    def _absent(self, patterns: Tensor, shape: torch.Size) -> Tensor:
        """float64 [1, O, H', W'], the sum of b - zb over the taps that meet no pixel."""
        bits = self.rule.format.b_bits
        values = patterns.double()
        if self.rule.coding != "unsigned":
            values = torch.where(values >= 2 ** (bits - 1), values - 2**bits, values)
        values = (values - self.b_zero.double()).sum(1)  # [O, kh, kw]
        present = self._overlapped(values.reshape(1, -1, 1).expand(1, -1, shape[2] * shape[3]), (shape[2], shape[3]))
        return values.sum((1, 2)).reshape(1, -1, 1, 1) - present

    def contracted(self, a: Tensor, b: Tensor, peak: int) -> Tensor:
        """float64 [N, O, H', W']."""
        return self._transposed(a.double(), _inputs_first(b, self.groups).double())

    def window_sums(self, plane: Tensor) -> Tensor:
        """float64 [N, O, H', W'], sums over the pixels that contribute."""
        n, _, height, width = plane.shape
        grouped = plane.reshape(n, self.groups, -1, height * width).sum(2, dtype=torch.float64)
        taps = grouped.repeat_interleave(self.weight[0, 0].numel() * (self.weight.shape[0] // self.groups), dim=1)
        return self._overlapped(taps, (height, width))

    def padding_sums(self, weight: Tensor, shape: torch.Size) -> Tensor:
        """Zero: nothing is padded."""
        return torch.zeros((), dtype=torch.float64, device=weight.device)

    def inside(self, shape: torch.Size) -> Tensor:
        """One everywhere."""
        return torch.ones((), device=self.weight.device)

    def float_layer(self, x: Tensor, weight: Tensor) -> Tensor:
        """float32 [N, O, H', W']; weight [O, C/groups, kh, kw]."""
        result = self._transposed(self.padded(x), _inputs_first(weight, self.groups))
        return result if self.bias is None else result + self.per_channel(self.bias)

    def contraction(self) -> Contraction:
        """Pixels times taps, overlapped."""
        return TransposedConvolution(
            self.groups, lambda x, weight: self._transposed(x, _inputs_first(weight, self.groups)), self._overlapped
        )

    def _transposed(self, x: Tensor, kernel: Tensor) -> Tensor:
        return F.conv_transpose2d(x, kernel, None, self.stride, self.padding, self.output_padding, self.groups, self.dilation)

    def float_gradients(self, gradient: Tensor, a: Tensor, b: Tensor, needs: tuple[bool, ...]) -> Gradients:
        """Left to autograd."""
        return by_autograd(self, gradient, a, b, needs)

    def per_channel(self, values: Tensor) -> Tensor:
        """[O] or [1] as [1, O or 1, 1, 1]."""
        return values.reshape(1, -1, 1, 1)

    def channels_first(self, values: Tensor) -> Tensor:
        """[N, O, H', W'] as [O, N H' W']."""
        return values.transpose(0, 1).reshape(values.shape[1], -1)


def _outputs_first(weight: Tensor, groups: int) -> Tensor:
    """[C, O/groups, kh, kw] as [O, C/groups, kh, kw]."""
    return weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)


def _inputs_first(weight: Tensor, groups: int) -> Tensor:
    """[O, C/groups, kh, kw] as [C, O/groups, kh, kw]."""
    return weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
