"""What must hold of codes and tables before an engine may read them: the certificate of a call."""

from __future__ import annotations

import torch
from torch import Tensor

from inexact.core.errors import FormatError

ACCUMULATOR = 2**31


def limits(values: Tensor) -> tuple[int, int]:
    """Least and greatest of integer `values`, which must not be empty."""
    if values.device.type != "cpu":
        low, high = values.aminmax()
        return int(low), int(high)
    array = values.numpy()  # a table is too small to wake torch's threads for
    return int(array.min()), int(array.max())


def check_codes(name: str, codes: Tensor, like: Tensor | None = None) -> None:
    """FormatError unless `codes` is a uint8 tensor on the device of `like`."""
    if codes.dtype != torch.uint8:
        raise FormatError(
            f"codes {name} must be uint8, not {str(codes.dtype).removeprefix('torch.')}; convert values to bit patterns first"
        )
    if like is not None and codes.device != like.device:
        raise FormatError(f"codes {name} must be on the device of the table ({like.device}), not {codes.device}")


def checked_table(lut: Tensor) -> Tensor:
    """`lut` as contiguous int32 [rows, columns], each 1..256; FormatError for another dtype, shape or for values outside int32."""
    if lut.ndim != 2 or not all(1 <= n <= 256 for n in lut.shape):
        raise FormatError(f"a table must be [2**width_a, 2**width_b] with at most 256 codes each, not of shape {list(lut.shape)}")
    if lut.dtype.is_floating_point or lut.dtype.is_complex or lut.dtype == torch.bool:
        raise FormatError(f"a table must hold int32 products, not {str(lut.dtype).removeprefix('torch.')}; round it first")
    if lut.dtype != torch.int32:
        low, high = limits(lut.to(torch.int64))
        if low < -ACCUMULATOR or high >= ACCUMULATOR:
            raise FormatError(f"products of a table must fit int32, but they reach {low}..{high}")
        lut = lut.to(torch.int32)
    return lut.contiguous()


def check_range(name: str, codes: Tensor, size: int) -> None:
    """FormatError when a code lies outside a table of `size` entries; free for 256, where no code can."""
    if size < 256 and codes.numel() and int(codes.max()) >= size:
        raise FormatError(f"codes {name} must be 0..{size - 1} for this table, but {int(codes.max())} is among them")


def peak_of(lut: Tensor) -> int:
    """max |lut|."""
    low, high = limits(lut)
    return max(-low, high)


def check_window(peak: int, window: int) -> None:
    """FormatError when `window` products of size `peak` could overflow the int32 accumulator."""
    if window * peak >= ACCUMULATOR:
        raise FormatError(
            f"K * max|lut| must stay below 2**31 for the int32 accumulator, but {window} products reach {peak}: split the layer along K"
        )
