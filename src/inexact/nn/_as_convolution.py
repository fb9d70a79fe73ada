"""A layer of any kind that is a convolution over images, once its input is padded."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class AsConvolution:
    """A layer as a two-dimensional convolution without padding: image [N, C, H, W], weight [O, C/groups, kh, kw]."""

    image: Tensor
    weight: Tensor
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the output."""
        spans = zip(self.image.shape[2:], self.weight.shape[2:], self.stride, self.dilation, strict=True)
        rows, columns = ((whole - d * (k - 1) - 1) // s + 1 for whole, k, s, d in spans)
        return rows, columns

    def under(self, plane: Tensor, row: int, column: int) -> Tensor:
        """What of a plane [..., H, W] meets one position of the kernel, [..., H', W']."""
        taps = zip((row, column), self.stride, self.dilation, self.size, strict=True)
        rows, columns = (slice(tap * d, tap * d + (size - 1) * s + 1, s) for tap, s, d, size in taps)
        return plane[..., rows, columns]
