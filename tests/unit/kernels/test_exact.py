"""The exact path against int64 sums, near the bounds where float32 and float64 would start to round."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inexact.core.errors import FormatError
from inexact.kernels import _exact, exact_conv2d, exact_gemm
from inexact.kernels._geometry import Geometry
from inexact.kernels._torch import windows


def values(*shape: int, low: int, high: int, dtype: torch.dtype = torch.int32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(low, high + 1, shape, generator=generator, dtype=torch.int64).to(dtype)


def convolution(a: Tensor, w: Tensor, geometry: Geometry) -> Tensor:
    view = windows(a.long(), (w.shape[2], w.shape[3]), geometry, 0)
    view = view.reshape(len(a), geometry.groups, -1, *view.shape[2:])
    weights = w.long().reshape(geometry.groups, -1, *w.shape[1:])
    return torch.einsum("ngcijyx,gocij->ngoyx", view, weights).flatten(1, 2)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"),
    [(1, 0, 1, 1), (2, 1, 1, 2), ((1, 3), (2, 1), (2, 1), 4), (1, (0, 3, 1, 2), 1, 1), (1, 1, 1, 16)],
)
def test_convolution_of_ordinary_values(dtype: torch.dtype, stride: int, padding: int, dilation: int, groups: int) -> None:
    a, w = values(17, 16, 12, 11, low=-255, high=255, dtype=dtype), values(32, 16 // groups, 3, 3, low=-128, high=127, dtype=dtype)
    found = exact_conv2d(a, w, stride, padding, dilation, groups)
    assert found.dtype == torch.int64
    assert torch.equal(found, convolution(a, w, Geometry.of(stride, padding, dilation, groups)))


def test_float32_just_below_its_bound_and_float64_just_above() -> None:
    w = torch.ones(3, 2, 2, 2, dtype=torch.int32)
    for peak, dtype in ((2**21 - 1, torch.float32), (2**21, torch.float64), (2**21 + 1, torch.float64)):
        a = values(20, 2, 9, 9, low=peak - 2, high=peak)
        a[0, 0, 0, 0] = peak
        assert _exact._certified(a, w.flatten(1)) == dtype
        assert torch.equal(exact_conv2d(a, w, padding=1), convolution(a, w, Geometry.of(1, 1, 1, 1)))


def test_product_near_the_float64_bound_is_exact() -> None:
    a, b = values(5, 8, low=2**29 - 3, high=2**29 - 1), values(4, 8, low=2**20 - 3, high=2**20)
    assert torch.equal(exact_gemm(a, b), a.long() @ b.long().T)
    assert torch.equal(exact_gemm(-a, b), -(a.long() @ b.long().T))


def test_product_of_ordinary_values() -> None:
    a, b = values(33, 70, low=-255, high=255, dtype=torch.int16), values(9, 70, low=-128, high=127, dtype=torch.int16)
    assert torch.equal(exact_gemm(a, b), a.long() @ b.long().T)


def test_lowered_float32_precision_of_the_caller_does_not_round() -> None:
    a, b = values(64, 64, low=0, high=4095), values(64, 64, low=-1, high=1)
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(exact_gemm(a, b), a.long() @ b.long().T)
    finally:
        torch.set_float32_matmul_precision("highest")


def test_beyond_float64_is_refused() -> None:
    a, b = torch.full((1, 4), 2**30, dtype=torch.int32), torch.full((1, 4), 2**21, dtype=torch.int32)
    with pytest.raises(
        FormatError, match=r"max\|a\| \* max sum\|w\| must stay below 2\*\*53 for exact sums, but it reaches 9007199254740992"
    ):
        exact_gemm(a, b)


def test_values_must_be_integers() -> None:
    with pytest.raises(FormatError, match=r"values w must be integers, not float32"):
        exact_conv2d(torch.zeros(1, 1, 3, 3, dtype=torch.int16), torch.zeros(1, 1, 1, 1))


def test_empty_inputs() -> None:
    assert exact_gemm(values(0, 4, low=0, high=1), values(3, 4, low=0, high=1)).shape == (0, 3)
    assert exact_conv2d(values(0, 2, 5, 5, low=0, high=1), values(3, 2, 3, 3, low=0, high=1)).shape == (0, 3, 3, 3)


def test_a_declared_peak_takes_float_integers_and_keeps_the_answer() -> None:
    generator = torch.Generator().manual_seed(4)
    a = torch.randint(-255, 256, (2, 6, 7, 5), generator=generator)
    w = torch.randint(-127, 128, (4, 3, 3, 2), generator=generator)
    expected = exact_conv2d(a, w, groups=2)
    found = exact_conv2d(a.float(), w.float(), groups=2, peak=255, dtype=torch.float64)
    assert found.dtype == torch.float64
    assert torch.equal(found.to(torch.int64), expected)
    rows, columns = a.reshape(-1, 5), w.reshape(-1, 2)[:, :1].expand(-1, 5)
    assert torch.equal(exact_gemm(rows.float(), columns.float(), peak=255), exact_gemm(rows, columns))
