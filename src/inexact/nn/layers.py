"""The emulated layers: Conv2d (any stride, padding, dilation, groups, padding mode) and Linear (inputs of any rank)."""

from __future__ import annotations

from dataclasses import replace
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inexact import kernels
from inexact.core.errors import FormatError
from inexact.nn._as_convolution import AsConvolution
from inexact.nn._layer import ApproxLayer
from inexact.nn._prepared import Prepared
from inexact.nn._rule import Rule
from inexact.nn._straight_through import Gradients, by_autograd
from inexact.nn._sums import conv2d, gemm
from inexact.nn.gradients._contraction import Contraction, Convolution, MatrixProduct


@final
class ApproxConv2d(ApproxLayer):
    """An `nn.Conv2d` on the planned array; input [N, C, H, W]."""

    def __init__(self, name: str, rule: Rule, source: nn.Conv2d) -> None:
        super().__init__(name, rule, source.weight, source.bias)
        self.stride: tuple[int, int] = source.stride  # type: ignore[assignment]
        self.dilation: tuple[int, int] = source.dilation  # type: ignore[assignment]
        self.groups = source.groups
        self.padding_mode = source.padding_mode
        self.padding = _four_sides(source)

    @property
    def pads(self) -> bool:
        """Whether zeros are added around the image."""
        return self.padding_mode == "zeros" and any(self.padding)

    def padded(self, x: Tensor) -> Tensor:
        """x with this layer's padding mode. Raises FormatError unless x is [N, C, H, W]."""
        self._check_shape(x)
        if not any(self.padding):
            return x
        return F.pad(x, self.padding, mode="constant" if self.padding_mode == "zeros" else self.padding_mode)

    def _check_shape(self, x: Tensor) -> None:
        if x.dim() != 4:
            raise FormatError(f"input of layer {self.name} must be [N, C, H, W], not of shape {list(x.shape)}; add a batch dimension")

    def compiled(self, x: Tensor, prepared: Prepared) -> Tensor:
        """float32 [N, O, H', W']; zeros are padded as codes, other modes before."""
        self._check_shape(x)
        left, right, top, bottom = self.padding
        sides, x = ((top, bottom, left, right), x) if self.padding_mode == "zeros" else ((0, 0, 0, 0), self.padded(x))
        geometry = kernels.Geometry(stride=self.stride, padding=sides, dilation=self.dilation, groups=self.groups)
        around = prepared.around
        if prepared.padding_errors is not None:
            reach = torch.Size((*x.shape[:2], x.shape[2] + top + bottom, x.shape[3] + left + right))
            errors = self.padding_sums(prepared.padding_errors, reach)
            around = replace(around, padding=errors.reshape(errors.shape[1], -1))
        return kernels.conv2d_layer(x, prepared.patterns, prepared.table, around, geometry)

    @property
    def has_image(self) -> bool:
        """Always."""
        return True

    @property
    def contraction_groups(self) -> int:
        """Those of the convolution."""
        return self.groups

    def unrolled(self, a: Tensor) -> Tensor:
        """[N H' W', groups, K]."""
        columns = F.unfold(a, self.weight.shape[2:], self.dilation, 0, self.stride)  # [N, C kh kw, L]
        return columns.transpose(1, 2).reshape(-1, self.groups, columns.shape[1] // self.groups)

    def rolled(self, rows: Tensor, a: Tensor) -> Tensor:
        """[N, O, H', W']."""
        spans = zip(a.shape[2:], self.weight.shape[2:], self.dilation, self.stride, strict=True)
        height, width = ((size - dilation * (kernel - 1) - 1) // stride + 1 for size, kernel, dilation, stride in spans)
        return rows.reshape(a.shape[0], height, width, -1).permute(0, 3, 1, 2)

    takes_blocks = True

    def as_convolution(self, padded: Tensor) -> AsConvolution:
        """Itself."""
        return AsConvolution(image=padded, weight=self.weight, stride=self.stride, dilation=self.dilation, groups=self.groups)

    def table_sums(self, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
        """int32 [N, O, H', W']."""
        return conv2d(self.rule, a, b, table, self.stride, self.dilation, self.groups)

    def contracted(self, a: Tensor, b: Tensor, peak: int) -> Tensor:
        """float64 [N, O, H', W']."""
        return kernels.exact_conv2d(a, b, self.stride, 0, self.dilation, self.groups, peak=peak, dtype=torch.float64)

    def window_sums(self, plane: Tensor) -> Tensor:
        """float64 [N, O, H', W'], or [N, 1, H', W'] without groups."""
        n, _, height, width = plane.shape
        grouped = plane.reshape(n, self.groups, -1, height, width).sum(2, dtype=torch.float64)
        if self.dilation == (1, 1):
            sums = F.avg_pool2d(grouped, (self.weight.shape[2], self.weight.shape[3]), self.stride, divisor_override=1)
            return self._to_outputs(sums)
        ones = torch.ones(self.groups, 1, *self.weight.shape[2:], dtype=torch.float64, device=plane.device)
        sums = F.conv2d(grouped, ones, stride=self.stride, dilation=self.dilation, groups=self.groups)
        return self._to_outputs(sums)

    def _to_outputs(self, sums: Tensor) -> Tensor:
        """[N, groups, H', W'] as one plane an output channel; a single group broadcasts."""
        return sums if self.groups == 1 else sums.repeat_interleave(self.weight.shape[0] // self.groups, dim=1)

    def padding_sums(self, weight: Tensor, shape: torch.Size) -> Tensor:
        """float64 [1, O, H', W']."""
        outside = 1.0 - self.inside(shape).double()
        return F.conv2d(outside, weight.sum(1, keepdim=True), stride=self.stride, dilation=self.dilation)

    def inside(self, shape: torch.Size) -> Tensor:
        """[1, 1, H, W] of the padded image."""
        left, right, top, bottom = self.padding
        ones = torch.ones(1, 1, shape[-2] - top - bottom, shape[-1] - left - right, device=self.weight.device)
        return F.pad(ones, self.padding)

    def float_layer(self, x: Tensor, weight: Tensor) -> Tensor:
        """float32 [N, O, H', W']."""
        return F.conv2d(self.padded(x), weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def float_gradients(self, gradient: Tensor, a: Tensor, b: Tensor, needs: tuple[bool, ...]) -> Gradients:
        """Those of a convolution; padding that torch's own convolution lacks is left to autograd."""
        left, right, top, bottom = self.padding
        if self.padding_mode != "zeros" or left != right or top != bottom:
            return by_autograd(self, gradient, a, b, needs)
        by_bias = gradient.sum((0, 2, 3)) if needs[2] else None
        wanted = [needs[0], needs[1], False]
        geometry = (None, self.stride, (top, left), self.dilation, False, (0, 0), self.groups)
        by_a, by_b, _ = torch.ops.aten.convolution_backward(gradient, a, b, *geometry, wanted)
        return by_a, by_b, by_bias

    def contraction(self) -> Contraction:
        """A convolution without padding."""
        return Convolution(self.stride, self.dilation, self.groups)

    def per_channel(self, values: Tensor) -> Tensor:
        """[O] or [1] as [1, O or 1, 1, 1]."""
        return values.reshape(1, -1, 1, 1)

    def channels_first(self, values: Tensor) -> Tensor:
        """[N, O, H', W'] as [O, N H' W']."""
        return values.transpose(0, 1).reshape(values.shape[1], -1)


@final
class ApproxLinear(ApproxLayer):
    """An `nn.Linear` on the planned array; input [..., in_features]."""

    def __init__(self, name: str, rule: Rule, source: nn.Linear) -> None:
        super().__init__(name, rule, source.weight, source.bias)

    @property
    def pads(self) -> bool:
        """Always False."""
        return False

    def padded(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def compiled(self, x: Tensor, prepared: Prepared) -> Tensor:
        """float32 [..., O]."""
        rows = kernels.linear_layer(x.reshape(-1, x.shape[-1]), prepared.patterns, prepared.table, prepared.around)
        return rows.reshape(*x.shape[:-1], -1)

    def unrolled(self, a: Tensor) -> Tensor:
        """[rows, 1, K]."""
        return a.reshape(-1, 1, a.shape[-1])

    def rolled(self, rows: Tensor, a: Tensor) -> Tensor:
        """[..., O]."""
        return rows.reshape(*a.shape[:-1], -1)

    takes_blocks = True

    def as_convolution(self, padded: Tensor) -> AsConvolution:
        """Rows as images of one pixel."""
        return AsConvolution(image=padded.reshape(-1, padded.shape[-1], 1, 1), weight=self.weight[:, :, None, None])

    def restored_shape(self, sums: Tensor, x: Tensor) -> Tensor:
        """float32 [..., O]."""
        return sums.reshape(*x.shape[:-1], -1)

    def table_sums(self, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
        """int32 [..., O]."""
        return gemm(self.rule, a.reshape(-1, a.shape[-1]), b, table).reshape(*a.shape[:-1], -1)

    def contracted(self, a: Tensor, b: Tensor, peak: int) -> Tensor:
        """float64 [..., O]."""
        return kernels.exact_gemm(a.reshape(-1, a.shape[-1]), b, peak=peak, dtype=torch.float64).reshape(*a.shape[:-1], -1)

    def window_sums(self, plane: Tensor) -> Tensor:
        """float64 [..., 1]."""
        return plane.sum(-1, keepdim=True, dtype=torch.float64)

    def padding_sums(self, weight: Tensor, shape: torch.Size) -> Tensor:
        """Zero: a linear layer has no padding."""
        return torch.zeros((), dtype=torch.float64, device=weight.device)

    def inside(self, shape: torch.Size) -> Tensor:
        """One everywhere."""
        return torch.ones((), device=self.weight.device)

    def float_layer(self, x: Tensor, weight: Tensor) -> Tensor:
        """float32 [..., O]."""
        return F.linear(x, weight, self.bias)

    def float_gradients(self, gradient: Tensor, a: Tensor, b: Tensor, needs: tuple[bool, ...]) -> Gradients:
        """Those of a matrix product."""
        rows = gradient.reshape(-1, gradient.shape[-1])
        by_a = (rows @ b).reshape(a.shape) if needs[0] else None
        by_b = rows.T @ a.reshape(-1, a.shape[-1]) if needs[1] else None
        return by_a, by_b, rows.sum(0) if needs[2] else None

    def contraction(self) -> Contraction:
        """A matrix product."""
        return MatrixProduct()

    def per_channel(self, values: Tensor) -> Tensor:
        """[O] as it is."""
        return values

    def channels_first(self, values: Tensor) -> Tensor:
        """[..., O] as [O, everything else]."""
        return values.reshape(-1, values.shape[-1]).T


def _four_sides(source: nn.Conv2d) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) of any padding an `nn.Conv2d` accepts."""
    if source.padding == "valid":
        return (0, 0, 0, 0)
    if source.padding == "same":
        reach = [d * (k - 1) for d, k in zip(source.dilation, source.kernel_size, strict=True)]
        (top, left), (bottom, right) = [r // 2 for r in reach], [r - r // 2 for r in reach]
        return (left, right, top, bottom)
    rows, columns = (int(p) for p in source.padding)
    return (columns, columns, rows, rows)
