"""Convolutions over one and three dimensions, computed as the two-dimensional one they are equal to."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inexact import kernels
from inexact.core.errors import FormatError
from inexact.nn._layer import ApproxLayer
from inexact.nn._prepared import Prepared
from inexact.nn._rule import Rule
from inexact.nn._straight_through import Gradients, by_autograd
from inexact.nn._sums import conv2d
from inexact.nn.gradients import _contraction as contractions
from inexact.nn.gradients._contraction import Contraction, Convolution


class LiftedConvolution(ApproxLayer):
    """A convolution that becomes a two-dimensional one once its padded input and its weight are reordered; nothing is added or left out.

    stride, dilation: of the two-dimensional convolution. padding: as `F.pad` takes it, last dimension first.
    """

    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    padding: tuple[int, ...]
    padding_mode: str

    @property
    def pads(self) -> bool:
        """Whether zeros are added around the input."""
        return self.padding_mode == "zeros" and any(self.padding)

    def padded(self, x: Tensor) -> Tensor:
        """x with this layer's padding mode. Raises FormatError without a batch dimension."""
        if x.dim() != self.weight.dim():
            axes = ", ".join(("N", "C", *"DHW"[: x.dim()])) if self.weight.dim() == 5 else "N, C, L"
            raise FormatError(f"input of layer {self.name} must be [{axes}], not of shape {list(x.shape)}; add a batch dimension")
        if not any(self.padding):
            return x
        return F.pad(x, self.padding, mode="constant" if self.padding_mode == "zeros" else self.padding_mode)

    def compiled(self, x: Tensor, prepared: Prepared) -> Tensor:
        """float32, shaped as the output. Skipped padding differs from plane to plane, which the compiled layer does not know."""
        if self.skips_padding:
            return self.emulated(x)
        image = self.lifted(self.padded(x)).contiguous()
        geometry = kernels.Geometry.of(self.stride, 0, self.dilation, self.groups)
        sums = kernels.conv2d_layer(image, self.lifted_weight(prepared.patterns), prepared.table, prepared.around, geometry)
        return self.lowered(sums, len(x))

    def table_sums(self, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
        """int32, shaped as the output."""
        image, kernel = self.lifted(a), self.lifted_weight(b)
        sums = conv2d(self.rule, image, kernel, table, self.stride, self.dilation, self.groups)
        return self.lowered(sums, len(a))

    def contracted(self, a: Tensor, b: Tensor, peak: int) -> Tensor:
        """float64, shaped as the output."""
        image, kernel = self.lifted(a), self.lifted_weight(b)
        sums = kernels.exact_conv2d(image, kernel, self.stride, 0, self.dilation, self.groups, peak=peak, dtype=torch.float64)
        return self.lowered(sums, len(a))

    def window_sums(self, plane: Tensor) -> Tensor:
        """float64, shaped as the output, or with one channel without groups."""
        n, _, *size = plane.shape
        grouped = plane.reshape(n, self.groups, -1, *size).sum(2, dtype=torch.float64)
        ones = torch.ones(self.groups, 1, *self.weight.shape[2:], dtype=torch.float64, device=plane.device)
        image, kernel = self.lifted(grouped), self.lifted_weight(ones)
        sums = self.lowered(F.conv2d(image, kernel, stride=self.stride, dilation=self.dilation, groups=self.groups), n)
        return sums if self.groups == 1 else sums.repeat_interleave(self.weight.shape[0] // self.groups, dim=1)

    def padding_sums(self, weight: Tensor, shape: torch.Size) -> Tensor:
        """float64 [1, O, …]."""
        outside = self.lifted(1.0 - self.inside(shape).double())
        kernel = self.lifted_weight(weight.sum(1, keepdim=True))
        return self.lowered(F.conv2d(outside, kernel, stride=self.stride, dilation=self.dilation), 1)

    def inside(self, shape: torch.Size) -> Tensor:
        """[1, 1, …] of the padded input."""
        sides = [self.padding[2 * i] + self.padding[2 * i + 1] for i in reversed(range(len(self.padding) // 2))]
        size = [whole - pad for whole, pad in zip(shape[2:], sides, strict=True)]
        return F.pad(torch.ones(1, 1, *size, device=self.weight.device), self.padding)

    def float_layer(self, x: Tensor, weight: Tensor) -> Tensor:
        """float32, shaped as the output."""
        image, kernel = self.lifted(self.padded(x)), self.lifted_weight(weight)
        sums = self.lowered(F.conv2d(image, kernel, None, self.stride, 0, self.dilation, self.groups), len(x))
        return sums if self.bias is None else sums + self.per_channel(self.bias)

    def float_gradients(self, gradient: Tensor, a: Tensor, b: Tensor, needs: tuple[bool, ...]) -> Gradients:
        """Left to autograd."""
        return by_autograd(self, gradient, a, b, needs)

    def contraction(self) -> Contraction:
        """A two-dimensional convolution of the reordered input and weight."""
        plane = Convolution(self.stride, self.dilation, self.groups)
        return contractions.LiftedConvolution(plane, self.lifted, self.lifted_weight, self.lowered)

    def per_channel(self, values: Tensor) -> Tensor:
        """[O] or [1] as [1, O or 1, 1, …]."""
        return values.reshape(1, -1, *[1] * (self.weight.dim() - 2))

    def channels_first(self, values: Tensor) -> Tensor:
        """[N, O, …] as [O, everything else]."""
        return values.transpose(0, 1).reshape(values.shape[1], -1)

    @abstractmethod
    def lifted(self, x: Tensor) -> Tensor:
        """A padded input [N, C, …] as images [N', C', H, W]."""

    @abstractmethod
    def lifted_weight(self, weight: Tensor) -> Tensor:
        """A weight [O, C/groups, …] as [O, C'/groups, kh, kw]."""

    @abstractmethod
    def lowered(self, sums: Tensor, batch: int) -> Tensor:
        """The images that come out, [N', O, H', W'], as [N, O, …]."""


@final
class ApproxConv1d(LiftedConvolution):
    """An `nn.Conv1d` on the planned array, input [N, C, L]: a two-dimensional one over images one pixel high."""

    def __init__(self, name: str, rule: Rule, source: nn.Conv1d) -> None:
        super().__init__(name, rule, source.weight, source.bias)
        self.stride, self.dilation = (1, source.stride[0]), (1, source.dilation[0])
        self.groups = source.groups
        self.padding_mode = source.padding_mode
        self.padding = every_side(source)

    def lifted(self, x: Tensor) -> Tensor:
        """[N, C, L] as [N, C, 1, L]."""
        return x.unsqueeze(2)

    def lifted_weight(self, weight: Tensor) -> Tensor:
        """[O, C/groups, k] as [O, C/groups, 1, k]."""
        return weight.unsqueeze(2)

    def lowered(self, sums: Tensor, batch: int) -> Tensor:
        """[N, O, 1, L'] as [N, O, L']."""
        return sums.squeeze(2)


@final
class ApproxConv3d(LiftedConvolution):
    """An `nn.Conv3d` on the planned array, input [N, C, D, H, W].

    The planes under one output plane are its input channels: the kernel's depth joins the channels, each output depth is an image.
    """

    def __init__(self, name: str, rule: Rule, source: nn.Conv3d) -> None:
        super().__init__(name, rule, source.weight, source.bias)
        self.depth_stride, *stride = source.stride
        self.depth_dilation, *dilation = source.dilation
        self.stride, self.dilation = (stride[0], stride[1]), (dilation[0], dilation[1])
        self.groups = source.groups
        self.padding_mode = source.padding_mode
        self.padding = every_side(source)

    def lifted(self, x: Tensor) -> Tensor:
        """[N, C, D, H, W] as [N D', C kd, H, W]."""
        reach = self.depth_dilation * (self.weight.shape[2] - 1) + 1
        if x.shape[2] < reach:
            raise FormatError(f"padded input of layer {self.name} must be at least {reach} planes deep, not {x.shape[2]}")
        planes = x.unfold(2, reach, self.depth_stride)[..., :: self.depth_dilation]  # [N, C, D', H, W, kd]
        return planes.permute(0, 2, 1, 5, 3, 4).flatten(2, 3).flatten(0, 1)

    def lifted_weight(self, weight: Tensor) -> Tensor:
        """[O, C/groups, kd, kh, kw] as [O, C/groups kd, kh, kw]."""
        return weight.flatten(1, 2)

    def lowered(self, sums: Tensor, batch: int) -> Tensor:
        """[N D', O, H', W'] as [N, O, D', H', W']."""
        return sums.reshape(batch, -1, *sums.shape[1:]).transpose(1, 2)


def every_side(source: nn.Conv1d | nn.Conv3d) -> tuple[int, ...]:
    """The padding of a convolution before and after each dimension, last dimension first, as `F.pad` takes it."""
    if isinstance(source.padding, str):
        reach = [d * (k - 1) if source.padding == "same" else 0 for d, k in zip(source.dilation, source.kernel_size, strict=True)]
        pairs = [(r // 2, r - r // 2) for r in reach]
    else:
        pairs = [(p, p) for p in source.padding]
    return tuple(side for pair in reversed(pairs) for side in pair)
