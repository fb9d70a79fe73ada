"""Integer requantisation: a 32-bit accumulator to an output code by one multiplication and one shift, as integer-only hardware does it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from inexact.core.errors import FormatError

_INT32 = 2**31


@dataclass(frozen=True)
class FixedPoint:
    """`multiplier * 2**(exponent - 31)`: multiplier int64 [..] in 2**30..2**31-1 (0 for zero), exponent int64 [..]."""

    multiplier: Tensor
    exponent: Tensor


def fixed_point(scale: Tensor) -> FixedPoint:
    """Write positive real scales (any shape) with a 31-bit multiplier and a power of two; relative error below 2**-31.

    Raises FormatError for negative, NaN or infinite scales.
    """
    flat = scale.detach().double().reshape(-1)
    if not bool(torch.isfinite(flat).all()) or bool((flat < 0).any()):
        raise FormatError("scales must be finite and not negative to be written in fixed point")
    multipliers, exponents = [], []
    for value in flat.tolist():
        mantissa, exponent = math.frexp(value)
        multiplier = round(mantissa * _INT32)
        if multiplier == _INT32:
            multiplier, exponent = multiplier // 2, exponent + 1
        multipliers.append(multiplier)
        exponents.append(exponent)
    as_tensor = [torch.tensor(v, dtype=torch.int64, device=scale.device).reshape(scale.shape) for v in (multipliers, exponents)]
    return FixedPoint(*as_tensor)


def requantise(accumulator: Tensor, scale: FixedPoint, zero_point: Tensor, low: int, high: int) -> Tensor:
    """Output codes of int32 accumulators: saturating rounding doubling high multiply, then rounding right shift, zero point, clamp.

    accumulator: int64 tensor holding int32 values; scale broadcasts to it; the result is int64 in low..high.
    Values outside int32 saturate first. Rounding: high multiply to nearest, ties away from zero toward +inf as in gemmlowp;
    shift to nearest, ties away from zero.

    Reference: B. Jacob et al., CVPR 2018, doi 10.1109/CVPR.2018.00286, section 2.2; the reference arithmetic of gemmlowp.
    """
    value = accumulator.clamp(-_INT32, _INT32 - 1)
    left = scale.exponent.clamp(min=0)
    value = (value << left).clamp(-_INT32, _INT32 - 1)
    product = value * scale.multiplier
    nudge = torch.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high_part = torch.div(product + nudge, _INT32, rounding_mode="trunc")
    shifted = _rounding_shift(high_part, (-scale.exponent).clamp(min=0, max=31))
    return (shifted + zero_point.to(torch.int64)).clamp(low, high)


def _rounding_shift(value: Tensor, exponent: Tensor) -> Tensor:
    mask = (torch.ones_like(exponent) << exponent) - 1
    remainder = value & mask
    threshold = (mask >> 1) + (value < 0)
    return (value >> exponent) + (remainder > threshold)
