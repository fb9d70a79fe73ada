"""The sums a layer takes, seen from behind: gradients of a convolution and of a matrix product, exact or through tables of slopes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import grad as conv_grad

from inexact import kernels


class Contraction(ABC):
    """Sums over k of products x_k w_k, x already padded. g: what arrives, float32, shaped as the output."""

    @abstractmethod
    def by_input(self, x: torch.Size, weight: Tensor, g: Tensor) -> Tensor:
        """d / d x of `sum g * out`, float32 of shape x."""

    @abstractmethod
    def by_weight(self, x: Tensor, weight: torch.Size, g: Tensor) -> Tensor:
        """d / d weight of `sum g * out`, float32 of that shape."""

    @abstractmethod
    def by_tables(self, a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
        """Both, with x_k w_k replaced by a table: uint8 patterns a, b; its slopes float32 [2**a_bits, 2**b_bits]."""


@final
@dataclass(frozen=True)
class Convolution(Contraction):
    """Conv2d without padding."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    def by_input(self, x: torch.Size, weight: Tensor, g: Tensor) -> Tensor:
        """[N, C, H, W]."""
        found: Tensor = conv_grad.conv2d_input(x, weight, g, self.stride, 0, self.dilation, self.groups)  # type: ignore[no-untyped-call]
        return found

    def by_weight(self, x: Tensor, weight: torch.Size, g: Tensor) -> Tensor:
        """[O, C/groups, kh, kw]."""
        found: Tensor = conv_grad.conv2d_weight(x, weight, g, self.stride, 0, self.dilation, self.groups)  # type: ignore[no-untyped-call]
        return found

    def by_tables(self, a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, H, W] and [O, C/groups, kh, kw]."""
        return kernels.slope_conv2d(a, b, g, along_a, along_b, stride=self.stride, dilation=self.dilation, groups=self.groups)


@final
@dataclass(frozen=True)
class LiftedConvolution(Contraction):
    """A convolution over one or three dimensions as the two-dimensional `plane` it equals.

    lift, lift_weight, lower: linear maps of inputs, weights and sums; lower takes the batch too.
    """

    plane: Convolution
    lift: Callable[[Tensor], Tensor]
    lift_weight: Callable[[Tensor], Tensor]
    lower: Callable[[Tensor, int], Tensor]

    def by_input(self, x: torch.Size, weight: Tensor, g: Tensor) -> Tensor:
        """[N, C, ...]."""
        kernel = self.lift_weight(weight)
        image = self.lift(torch.empty(x, device="meta")).shape
        return adjoint(self.lift, x, self.plane.by_input(image, kernel, self._raised(image, kernel.shape, len(g), g)))

    def by_weight(self, x: Tensor, weight: torch.Size, g: Tensor) -> Tensor:
        """[O, C/groups, ...]."""
        image = self.lift(x)
        kernel = self.lift_weight(torch.empty(weight, device="meta")).shape
        return adjoint(self.lift_weight, weight, self.plane.by_weight(image, kernel, self._raised(image.shape, kernel, len(g), g)))

    def by_tables(self, a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, ...] and [O, C/groups, ...]."""
        image, kernel = self.lift(a), self.lift_weight(b)
        raised = self._raised(image.shape, kernel.shape, len(g), g)
        by_image, by_kernel = self.plane.by_tables(image, kernel, raised, along_a, along_b)
        return adjoint(self.lift, a.shape, by_image), adjoint(self.lift_weight, b.shape, by_kernel)

    def _raised(self, image: torch.Size, kernel: torch.Size, batch: int, g: Tensor) -> Tensor:
        geometry = kernels.Geometry.of(self.plane.stride, 0, self.plane.dilation, self.plane.groups)
        return adjoint(lambda sums: self.lower(sums, batch), torch.Size(geometry.output(image, kernel)), g).contiguous()


@final
@dataclass(frozen=True)
class TransposedConvolution(Contraction):
    """ConvTranspose2d: one matrix product of every pixel with every tap of its group, then `overlap`, a linear map of [N, O kh kw, H W].

    sums: the whole of it in float32, of an input and a weight [O, C/groups, kh, kw].
    """

    groups: int
    sums: Callable[[Tensor, Tensor], Tensor]
    overlap: Callable[[Tensor, tuple[int, int]], Tensor]

    def by_input(self, x: torch.Size, weight: Tensor, g: Tensor) -> Tensor:
        """[N, C, H, W]."""
        return adjoint(lambda image: self.sums(image, weight), x, g)

    def by_weight(self, x: Tensor, weight: torch.Size, g: Tensor) -> Tensor:
        """[O, C/groups, kh, kw]."""
        return adjoint(lambda kernel: self.sums(x, kernel), weight, g)

    def by_tables(self, a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, H, W] and [O, C/groups, kh, kw]."""
        n, _, height, width = a.shape
        pixels, taps = height * width, b[:, 0].numel()
        arrived = adjoint(lambda planes: self.overlap(planes, (height, width)), torch.Size((n, taps, pixels)), g)
        by_group = arrived.reshape(n, self.groups, -1, pixels).permute(1, 0, 3, 2).flatten(1, 2)
        rows = a.reshape(n, self.groups, -1, pixels).permute(1, 0, 3, 2).flatten(1, 2)
        columns = b.reshape(self.groups, -1, *b.shape[1:]).permute(0, 1, 3, 4, 2).flatten(1, 3)
        found = [kernels.slope_gemm(r, c, arriving, along_a, along_b) for r, c, arriving in zip(rows, columns, by_group, strict=True)]
        by_rows, by_columns = (torch.stack(part) for part in zip(*found, strict=True))
        by_a = by_rows.reshape(self.groups, n, pixels, -1).permute(1, 0, 3, 2).reshape(a.shape)
        by_b = by_columns.reshape(self.groups, -1, *b.shape[2:], b.shape[1]).permute(0, 1, 4, 2, 3).reshape(b.shape)
        return by_a, by_b


def adjoint(linear: Callable[[Tensor], Tensor], shape: torch.Size, g: Tensor) -> Tensor:
    """The transpose of a linear map of float32 tensors of `shape`, applied to g."""
    with torch.enable_grad():
        x = torch.zeros(shape, device=g.device, requires_grad=True)
        (found,) = torch.autograd.grad(linear(x), x, g)
    return found


@final
@dataclass(frozen=True)
class MatrixProduct(Contraction):
    """Linear: out = x weight^T."""

    def by_input(self, x: torch.Size, weight: Tensor, g: Tensor) -> Tensor:
        """[..., K]."""
        return g @ weight

    def by_weight(self, x: Tensor, weight: torch.Size, g: Tensor) -> Tensor:
        """[O, K]."""
        return g.reshape(-1, weight[0]).T @ x.reshape(-1, weight[1])

    def by_tables(self, a: Tensor, b: Tensor, g: Tensor, along_a: Tensor, along_b: Tensor) -> tuple[Tensor, Tensor]:
        """[..., K] and [O, K]."""
        by_a, by_b = kernels.slope_gemm(a.reshape(-1, a.shape[-1]), b, g.reshape(-1, b.shape[0]), along_a, along_b)
        return by_a.reshape(a.shape), by_b
