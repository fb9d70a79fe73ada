"""Shapes of a convolution, checked before any engine sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from inexact.core.errors import FormatError

_PAIR = "must be an integer or a pair of integers (vertical, horizontal)"


def pair(name: str, value: int | Sequence[int], low: int) -> tuple[int, int]:
    """`value` as (vertical, horizontal), both at least `low`; FormatError otherwise."""
    if isinstance(value, bool) or (not isinstance(value, int) and not isinstance(value, Sequence)):
        raise FormatError(f"{name} {_PAIR}, not {value!r}")
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2 or any(isinstance(v, bool) or not isinstance(v, int) for v in both):
        raise FormatError(f"{name} {_PAIR}, not {value!r}")
    if min(both) < low:
        raise FormatError(f"{name} must be at least {low}, not {value!r}")
    return int(both[0]), int(both[1])


def sides(value: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Padding as (top, bottom, left, right), given as one integer, (vertical, horizontal) or all four; FormatError otherwise."""
    if isinstance(value, Sequence) and len(value) == 4:
        (top, bottom), (left, right) = pair("padding", value[:2], 0), pair("padding", value[2:], 0)
        return top, bottom, left, right
    if isinstance(value, Sequence) and len(value) != 2:
        raise FormatError(f"padding must be an integer, (vertical, horizontal) or (top, bottom, left, right), not {value!r}")
    vertical, horizontal = pair("padding", value, 0)
    return vertical, vertical, horizontal, horizontal


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Stride and dilation (vertical, horizontal), padding (top, bottom, left, right) and groups of a convolution."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @classmethod
    def of(cls, stride: int | Sequence[int], padding: int | Sequence[int], dilation: int | Sequence[int], groups: int) -> Geometry:
        """Geometry from what a caller wrote; FormatError for values outside their range."""
        if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
            raise FormatError(f"groups must be an integer of at least 1, not {groups!r}")
        return cls(stride=pair("stride", stride, 1), padding=sides(padding), dilation=pair("dilation", dilation, 1), groups=groups)

    def output(self, a: Sequence[int], w: Sequence[int]) -> tuple[int, int, int, int]:
        """Shape of the result for activations [N, C, H, W] and weights [O, C/groups, kh, kw]; FormatError when they do not fit."""
        if len(a) != 4 or len(w) != 4:
            raise FormatError(
                f"a convolution needs activations [N, C, H, W] and weights [O, C/groups, kh, kw], not shapes {list(a)} and {list(w)}"
            )
        if a[1] % self.groups or w[0] % self.groups:
            raise FormatError(f"groups must divide the channels, but groups={self.groups} does not divide {a[1]} inputs and {w[0]} outputs")
        if w[1] * self.groups != a[1]:
            raise FormatError(f"the input must have {w[1] * self.groups} channels, which the weights take, not {a[1]}")
        if min(w[2], w[3]) < 1:
            raise FormatError(f"the kernel must be at least 1x1, not {w[2]}x{w[3]}")
        height, width = (self.extent(a[2 + i], w[2 + i], i) for i in range(2))
        return a[0], w[0], height, width

    def extent(self, size: int, kernel: int, axis: int) -> int:
        """Output size along one axis (0 = vertical)."""
        window = self.dilation[axis] * (kernel - 1) + 1
        padded = size + self.padding[2 * axis] + self.padding[2 * axis + 1]
        if padded < window:
            raise FormatError(
                f"the dilated kernel must fit the padded input, but it spans {window} and the input {padded} along axis {'HW'[axis]}"
            )
        return (padded - window) // self.stride[axis] + 1


@lru_cache(maxsize=1024)
def geometry_of(stride: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...], groups: int) -> Geometry:
    """`Geometry.of` for the arguments of an operator, whose schema makes them integers: remembered."""
    return Geometry.of(stride, padding, dilation, groups)


def gemm_output(a: Sequence[int], b: Sequence[int]) -> tuple[int, int]:
    """Shape of the product of a [M, K] and b [N, K]; FormatError when they do not fit."""
    if len(a) != 2 or len(b) != 2 or a[1] != b[1]:
        raise FormatError(f"a matrix product needs codes a [M, K] and b [N, K] of equal K, not shapes {list(a)} and {list(b)}")
    return a[0], b[0]
