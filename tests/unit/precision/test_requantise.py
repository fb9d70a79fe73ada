"""Integer requantisation against a scalar model written from the definition with unbounded integers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inexact.core.errors import FormatError
from inexact.precision import fixed_point, requantise


def scalar_model(accumulator: int, multiplier: int, exponent: int, zero_point: int, low: int, high: int) -> int:
    """Round(accumulator * 2**left * multiplier / 2**31) with ties toward +inf on the way up and away from zero in the shift."""
    low32, high32 = -(2**31), 2**31 - 1
    value = min(high32, max(low32, accumulator))
    value = min(high32, max(low32, value * 2 ** max(exponent, 0)))
    product = value * multiplier
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    doubled = abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)
    shift = max(-exponent, 0)
    magnitude: int = (2 * abs(doubled) + 2**shift) // 2 ** (shift + 1) if shift else abs(doubled)
    signed = magnitude if doubled >= 0 else -magnitude
    return min(high, max(low, signed + zero_point))


@settings(max_examples=400, deadline=None)
@given(
    accumulator=st.integers(-(2**31), 2**31 - 1),
    scale=st.floats(2.0**-20, 8.0, allow_nan=False),
    zero_point=st.integers(0, 255),
)
def test_bit_exact_against_the_scalar_model(accumulator: int, scale: float, zero_point: int) -> None:
    step = fixed_point(torch.tensor(scale, dtype=torch.float64))
    found = requantise(torch.tensor(accumulator), step, torch.tensor(float(zero_point)), 0, 255)
    assert int(found) == scalar_model(accumulator, int(step.multiplier), int(step.exponent), zero_point, 0, 255)


def test_agrees_with_real_arithmetic_to_one_code() -> None:
    accumulator = torch.arange(-40000, 40000, 37)
    scale = 0.00317
    codes = requantise(accumulator, fixed_point(torch.tensor(scale, dtype=torch.float64)), torch.tensor(117.0), 0, 255)
    real = (accumulator.double() * scale).round() + 117
    assert int((codes - real.clamp(0, 255).long()).abs().max()) <= 1


def test_fixed_point_is_precise() -> None:
    scales = torch.tensor([1e-9, 0.3, 1.0, 0.9999999999, 123.4], dtype=torch.float64)
    step = fixed_point(scales)
    written = step.multiplier.double() * torch.pow(2.0, step.exponent.double() - 31)
    assert torch.all((written - scales).abs() <= scales * 2.0**-31)
    assert math.log2(int(step.multiplier.max())) < 31


def test_negative_scales_are_refused() -> None:
    with pytest.raises(FormatError, match="scales must be finite and not negative"):
        fixed_point(torch.tensor([-0.1]))
