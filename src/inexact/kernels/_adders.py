"""Adders on torch tensors of bit patterns, and one addition of an accumulator: what the portable engine is made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from inexact.core.accumulation import Accumulation, BitRule

Step = Callable[[Tensor, Tensor], Tensor]


def addition(accumulation: Accumulation) -> Step:
    """One addition of signed values (int64 tensors within the accumulator's range): the adder, then wrapping or saturation."""
    width, half = accumulation.width, 1 << (accumulation.width - 1)
    mask, bits = 2 * half - 1, _patterns(accumulation)

    def add(a: Tensor, b: Tensor) -> Tensor:
        total = bits(a & mask, b & mask) & mask
        total = total - ((total >> (width - 1)) << width)
        if not accumulation.saturate:
            return total
        overflown = ((a ^ total) & (b ^ total)) < 0
        limit = torch.where(a < 0, -half, half - 1)
        return torch.where(overflown, limit, total)

    return add


def _patterns(accumulation: Accumulation) -> Step:
    """The adder on unsigned patterns; bits beyond the width are cut off by the caller."""
    if accumulation.rule is not None:
        return known(accumulation.rule, accumulation.width)
    foreign = accumulation.add

    def add(a: Tensor, b: Tensor) -> Tensor:
        return torch.from_numpy(foreign(a.cpu().numpy(), b.cpu().numpy())).to(a.device, torch.int64)

    return add


def known(rule: BitRule, width: int) -> Step:
    """The adder a rule describes, on int64 patterns below 2**width."""
    if rule.kind == "segmented":
        return _segmented(rule.step, rule.reach, width)
    low = 0 if rule.kind == "exact" else rule.low
    mask, top = (1 << low) - 1, max(low - 1, 0)

    def add(a: Tensor, b: Tensor) -> Tensor:
        upper = (a >> low) + (b >> low)
        if low == 0 or rule.kind == "truncated":
            return upper << low
        if rule.kind == "copied":
            return (upper + (a >> top & 1) << low) | (b & mask)
        if rule.kind == "saturated":
            return (upper << low) | ((a ^ b) & mask) | _filled(a & b & mask, low)
        carry = (a & b) >> top & 1 if rule.kind == "lower_or_carry" else 0
        return (upper + carry << low) | ((a | b) & mask)

    return add


def _filled(ones: Tensor, low: int) -> Tensor:
    """Every bit at or below the highest one."""
    reach = 1
    while reach < low:
        ones = ones | (ones >> reach)
        reach *= 2
    return ones


def _segmented(step: int, reach: int, width: int) -> Step:
    """Segment by segment: its own bits with those of the `reach` bits below."""

    def add(a: Tensor, b: Tensor) -> Tensor:
        first = (1 << min(reach + step, width)) - 1
        total = (a & first) + (b & first)
        for start in range(reach + step, width, step):
            low, mask = start - reach, (1 << min(step + reach, width - start + reach)) - 1
            window = (a >> low & mask) + (b >> low & mask)
            total = (total & ((1 << start) - 1)) | (window >> reach << start)
        return total

    return add
