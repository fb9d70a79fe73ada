"""What a multiply-accumulate element leaks in a cycle: bits that are one, or change, in one of its registers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.core.registry import Family, spec_of

Integers = NDArray[np.int64]
Bits = NDArray[np.uint8]

ACCUMULATOR_BITS = 32

NETLIST = "netlist_toggles"
"""The leakage of a multiplier's own gates, see `netlist_power`; no register's."""


class Leakage(ABC):
    """Switching of one register, in bits; members are frozen dataclasses with the hook `bits`.

    The element forms one output: it starts with a cleared product register and accumulator and adds a product a cycle.
    """

    family_name: ClassVar[str]
    chained: ClassVar[bool] = True
    """Whether what leaks in a cycle depends on the cycles before."""

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    @abstractmethod
    def bits(self, product: Integers, last: Integers, total: Integers, width: int) -> Bits:
        """Hook: bits of the cycle that forms `product` (in `width` bits) after the product `last` and the sum `total`; all broadcast."""

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """For the contract tests."""
        return [cls()]


leakages: Family[Leakage] = Family("leakage", "inexact.security")


@leakages.register("product_weight")
@final
@dataclass(frozen=True, kw_only=True)
class ProductWeight(Leakage):
    """Hamming weight of the product register: a bus that is precharged, or a register that is cleared, between products.

    Reference: E. Brier, C. Clavier, F. Olivier, "Correlation power analysis with a leakage model", CHES 2004,
    doi:10.1007/978-3-540-28632-5_2
    """

    chained: ClassVar[bool] = False

    def bits(self, product: Integers, last: Integers, total: Integers, width: int) -> Bits:
        """Ones of the product."""
        return ones(product, width)


@leakages.register("product_distance")
@final
@dataclass(frozen=True, kw_only=True)
class ProductDistance(Leakage):
    """Hamming distance of successive products: the product register overwrites the one before.

    Reference: as for `product_weight`
    """

    def bits(self, product: Integers, last: Integers, total: Integers, width: int) -> Bits:
        """Bits in which the product differs from the one before."""
        return ones(product ^ last, width)


@leakages.register("accumulator_distance")
@final
@dataclass(frozen=True, kw_only=True)
class AccumulatorDistance(Leakage):
    """Hamming distance of successive sums in a 32-bit accumulator, two's complement.

    Reference: as for `product_weight`
    """

    def bits(self, product: Integers, last: Integers, total: Integers, width: int) -> Bits:
        """Bits in which the new sum differs from the old one."""
        return ones((total + product) ^ total, ACCUMULATOR_BITS)


def ones(values: Integers, width: int) -> Bits:
    """Ones among the `width` low bits of two's complement numbers."""
    return np.asarray(np.bitwise_count(values & ((1 << width) - 1)), dtype=np.uint8)
