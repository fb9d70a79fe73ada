"""Sums of products of numbers that are not integers, exactly: by powers of two and short integers, in float64 that never rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.numbers import SYSTEMS
from inexact.units import FloatMultiplier, float_multipliers

EXACT = 2**53
LIMB = 50

Contract = Callable[[Tensor, Tensor, int], Tensor]
"""Sums of products of two tensors of float64 integers, and a bound on the size of the first: float64, exact below 2**53."""


@dataclass(frozen=True, kw_only=True)
class Factors:
    """A multiplier as a sum of products: unit(a, b) = step * sum_r left[r, a] right[r, b] for sizes a, b, given by rank.

    left, right: float64 integers [R, sizes]; R is 1 for an exact product, else one term a fraction of a. short: significant bits of both.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    step: float
    short: tuple[int, int]

    @property
    def exact(self) -> bool:
        """Whether products are those of the numbers."""
        return len(self.left) == 1

    @property
    def product_bits(self) -> int:
        """Bits of the size of the largest product, in steps."""
        return max((int(p) * int(q)).bit_length() for p, q in zip(self.left.max(1), self.right.max(1), strict=True))

    def bound(self, window: int) -> int:
        """What no sum of `window` products exceeds, in steps."""
        return window * sum(int(p) * int(q) for p, q in zip(self.left.max(1), self.right.max(1), strict=True))


@lru_cache(maxsize=64)
def factors(spec: str) -> Factors:
    """The factors of a multiplier of a number system of at most 8 bits."""
    unit: FloatMultiplier = float_multipliers.get(spec)
    system = SYSTEMS[unit.format]
    decoded = system.decoded(system.patterns(np.arange(len(system.sizes))))
    power = np.where(decoded.zero, 0.0, np.exp2(decoded.exponent.astype(np.float64)))
    fractions = np.arange(1 << system.fraction_bits)
    table = unit.significand(fractions[:, None], fractions[None, :])
    own = system.significands()
    if system.linear and np.array_equal(table, np.multiply.outer(own, own)):
        left = right = system.sizes[None]
    else:
        left = np.where(decoded.fraction == fractions[:, None], power, 0.0)
        right = power * table[:, decoded.fraction]
    (left, low, short), (right, high, long) = _integers(left), _integers(right)
    exact = _integers(system.sizes)[1] ** 2 if system.linear else low * high
    finer = max(1.0, low * high / exact)  # errors are integers in steps of exact products too
    return Factors(left=left * finer, right=right, step=low * high / finer, short=(short, long))


def _integers(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, int]:
    """Dyadic values as integers in steps of a power of two, that power, and the most bits between a leading and a last one."""
    mantissas, exponents = np.frexp(values[values != 0])
    whole = (mantissas * 2.0**53).astype(np.int64)
    trailing = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)
    step = 2.0 ** int((exponents - 53 + trailing).min())
    return values / step, step, int((53 - trailing).max())


def number_sums(chosen: Factors, a: Tensor, b: Tensor, contract: Contract, window: int) -> Tensor:
    """`sum_k unit(a, b)` of codes a, b (signed ranks) in steps: float64, the exact sum, rounded once to 53 bits where it is longer.

    contract: how the layer sums products. window: products of one sum.
    """
    terms = [(_looked_up(left, a), _looked_up(right, b)) for left, right in zip(chosen.left, chosen.right, strict=True)]
    if chosen.bound(window) < EXACT:
        parts = [contract(x, y, int(peak)) for (x, y), peak in zip(terms, chosen.left.max(1), strict=True)]
        return parts[0] if chosen.exact else torch.stack(parts).sum(0)
    room = 53 - sum(chosen.short) - max(1, window - 1).bit_length() - 2
    total = WideSum()
    for x, y in terms:
        for part, low in _by_size(x, room // 2, chosen.short[0]):
            for other, lower in _by_size(y, room // 2, chosen.short[1]):
                total.add(contract(part, other, 2 ** (room // 2 + chosen.short[0])), low + lower)
    return total.rounded(lambda: contract(torch.zeros_like(terms[0][0]), torch.zeros_like(terms[0][1]), 0))


def number_patterns(system: str, codes: Tensor) -> Tensor:
    """uint8 bit patterns of signed ranks."""
    top = len(SYSTEMS[system].sizes) - 1
    table = SYSTEMS[system].patterns(np.arange(-top, top + 1)).astype(np.uint8)
    return torch.from_numpy(table).to(codes.device)[codes.long() + top]


def _looked_up(table: NDArray[np.float64], codes: Tensor) -> Tensor:
    found = torch.from_numpy(table).to(codes.device)[codes.abs().long()]
    return found.copysign(codes.double())


def _by_size(values: Tensor, bits: int, short: int) -> list[tuple[Tensor, int]]:
    """Integers taken apart by size, `bits` powers of two at a time, each part divided by a power of two that leaves integers."""
    found = []
    sizes = values.abs()
    for low in range(0, int(torch.frexp(sizes.max()).exponent) + 1, bits):
        inside = (sizes >= 2.0**low) & (sizes < 2.0 ** (low + bits))
        if bool(inside.any()):
            down = max(0, low - short + 1)
            found.append((torch.where(inside, values, 0.0) * 2.0**-down, down))
    return found


class WideSum:
    """A sum of integers times powers of two in three words of 50 bits: what a fixed-point register that wide holds."""

    def __init__(self) -> None:
        self._limbs: list[Tensor] | None = None

    def add(self, values: Tensor, power: int) -> None:
        """Add float64 integers below 2**53 times 2**power, power 0..99."""
        whole = values.to(torch.int64)
        if self._limbs is None:
            self._limbs = [torch.zeros_like(whole) for _ in range(4)]
        place, shift = divmod(power, LIMB)
        high = whole >> (LIMB - shift)
        self._limbs[place] += (whole - (high << (LIMB - shift))) << shift
        self._limbs[place + 1] += high

    def rounded(self, zero: Callable[[], Tensor]) -> Tensor:
        """The sum to the nearest float64, ties to even; zero: what to give when nothing was added."""
        if self._limbs is None:
            return zero()
        carry = torch.zeros_like(self._limbs[0])
        words = []
        for limb in self._limbs[:-1]:
            value = limb + carry
            carry = value >> LIMB
            words.append(value - (carry << LIMB))
        top = self._limbs[-1] + carry
        negative = top < 0
        # the magnitude: two's complement of all words
        borrow = negative.to(torch.int64)
        size = []
        for word in words:
            value = torch.where(negative, (2**LIMB - 1) - word, word) + borrow
            borrow = value >> LIMB
            size.append(value - (borrow << LIMB))
        found = _nearest(size)
        return torch.where(negative, -found, found)


def _nearest(words: list[Tensor]) -> Tensor:
    """Words of 50 bits, lowest first, not negative, as the nearest float64: the upper 62 bits, the last of them set if any below is."""
    low, middle, high = words
    long = high > 0
    first, second, third = torch.where(long, high, middle), torch.where(long, middle, low), torch.where(long, low, 0)
    up = 62 - torch.frexp(first.double()).exponent.long()
    more, less = (up - LIMB).clamp(min=0), (LIMB - up).clamp(min=0)
    raised = (first << up) + ((second << more) >> less) + (third >> (LIMB - more))
    below = (second & _ones(less)) | (third & _ones(LIMB - more))
    joined = (raised | (below > 0).long()).double() * torch.exp2((LIMB - up).double())
    return torch.where(first > 0, joined, second.double()) * torch.where(long, 2.0**LIMB, 1.0)


def _ones(bits: Tensor) -> Tensor:
    return (torch.ones_like(bits) << bits) - 1
