"""Number systems of a few bits that are not integers: small floats, posits, logarithms; what a code stands for, and the nearest one."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Decoded:
    """value = (-1)**negative 2**exponent times what the fraction stands for, unless zero, infinite or nan."""

    negative: Flags
    exponent: Integers
    fraction: Integers
    zero: Flags
    infinite: Flags
    nan: Flags


class NumberSystem(ABC):
    """What codes (bit patterns) of `width` bits stand for. Every number is a sign, a power of two, and a fraction of `fraction_bits`."""

    linear = True
    """Whether a fraction x stands for 1 + x / 2**fraction_bits, so that products of numbers are products of significands."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Bits of a code."""

    @property
    @abstractmethod
    def fraction_bits(self) -> int:
        """Bits of the fraction of a decoded number."""

    @property
    @abstractmethod
    def fields(self) -> str:
        """The fields of a code, in words."""

    @abstractmethod
    def decoded(self, codes: Integers) -> Decoded:
        """Sign, exponent and fraction of every code."""

    @abstractmethod
    def patterns(self, ranks: Integers) -> Integers:
        """Codes of the numbers of these signed ranks: 0 is zero, 1 the least positive number, -1 its negative."""

    @abstractmethod
    def halfway(self, ranks: Integers) -> Reals:
        """Where rounding goes from the number of a rank >= 0 to the next; a value of exactly this takes the even code."""

    @abstractmethod
    def significands(self) -> Reals:
        """What each fraction stands for, [2**fraction_bits]."""

    @final
    def values(self, codes: ArrayLike) -> Reals:
        """The numbers the codes stand for, float64."""
        d = self.decoded(np.asarray(codes, dtype=np.int64))
        size = np.ldexp(self.significands()[d.fraction], d.exponent.astype(np.int32))
        size = np.where(d.zero, 0.0, np.where(d.infinite, np.inf, np.where(d.nan, np.nan, size)))
        return np.where(d.negative, -size, size)

    @final
    @functools.cached_property
    def sizes(self) -> Reals:
        """The numbers that are not negative, ascending from 0; the index is the rank."""
        found = self.values(self.patterns(np.arange(1 << (self.width - 1))))
        return found[np.isfinite(found)]

    @final
    @functools.cached_property
    def limits(self) -> tuple[float, ...]:
        """float32 numbers, one fewer than sizes: the largest value that is rounded to each size but the last. Ties are to the even code.

        Values beyond the last size take it (saturation).
        """
        ranks = np.arange(len(self.sizes) - 1)
        halves = self.halfway(ranks).astype(np.float32)
        upward = (self.patterns(ranks) & 1 == 1) & (halves == self.halfway(ranks)) & (halves > 0)
        return tuple(np.where(upward, np.nextafter(halves, np.float32(0)), halves).astype(np.float64).tolist())


@final
@dataclass(frozen=True, kw_only=True)
class SmallFloat(NumberSystem):
    """Sign, exponent and mantissa bits, from the top. specials: what an exponent of ones means: "ieee" (infinities and NaN), "nan" (NaN
    only where the mantissa is all ones too, else a number) or "none" (always a number). Subnormals are kept.

    Reference: P. Micikevicius et al., FP8 formats for deep learning, 2022, arXiv:2209.05433; OCP Microscaling Formats (MX) v1.0, 2023
    """

    exponent: int
    mantissa: int
    specials: str

    @property
    def width(self) -> int:
        """Bits of a code."""
        return 1 + self.exponent + self.mantissa

    @property
    def fraction_bits(self) -> int:
        """Those of the mantissa."""
        return self.mantissa

    @property
    def fields(self) -> str:
        """The bits of each field."""
        return f"1 sign, {self.exponent} exponent and {self.mantissa} mantissa bits"

    @property
    def bias(self) -> int:
        """What is taken off a stored exponent."""
        return (1 << (self.exponent - 1)) - 1

    def decoded(self, codes: Integers) -> Decoded:
        """Sign, normalised exponent and fraction of every code."""
        stored = (codes >> self.mantissa) & ((1 << self.exponent) - 1)
        low = codes & ((1 << self.mantissa) - 1)
        ones = stored == (1 << self.exponent) - 1
        nothing = np.zeros(codes.shape, dtype=bool)
        infinite = ones & (low == 0) if self.specials == "ieee" else nothing
        top = low != 0 if self.specials == "ieee" else low == (1 << self.mantissa) - 1
        nan = nothing if self.specials == "none" else ones & top
        # a subnormal is normalised: its leading one becomes the hidden one
        place = np.where(stored > 0, self.mantissa, np.maximum(np.frexp(low.astype(np.float64))[1] - 1, 0))
        fraction = np.where(stored > 0, low, (low << (self.mantissa - place)) & ((1 << self.mantissa) - 1))
        exponent = np.maximum(stored, 1) - self.bias + place - self.mantissa
        zero = (stored == 0) & (low == 0)
        return Decoded(negative=codes >> (self.width - 1) == 1, exponent=exponent, fraction=fraction, zero=zero, infinite=infinite, nan=nan)

    def patterns(self, ranks: Integers) -> Integers:
        """The size's bits under the sign."""
        return _sign_and_size(ranks, self.width)

    def halfway(self, ranks: Integers) -> Reals:
        """The mean of both numbers."""
        return (self.values(ranks) + self.values(ranks + 1)) / 2

    def significands(self) -> Reals:
        """1 + x."""
        return _linear(self.mantissa)


@final
@dataclass(frozen=True, kw_only=True)
class Posit(NumberSystem):
    """Sign, regime, at most `es` exponent bits, the rest fraction; negative numbers in two's complement, one code that is not a number.

    Rounding is that of the standard: the bit string is rounded to nearest, ties to even; nothing but 0 is rounded to 0.

    Reference: J. Gustafson, I. Yonemoto, Beating floating point at its own game: posit arithmetic, Supercomputing Frontiers and
    Innovations 4(2), 2017, doi:10.14529/jsfi170206; Standard for Posit Arithmetic, 2022 (es = 2)
    """

    bits: int
    es: int

    @property
    def width(self) -> int:
        """Bits of a code."""
        return self.bits

    @property
    def fraction_bits(self) -> int:
        """Of the numbers around 1, which have the longest fraction."""
        return max(0, self.bits - 3 - self.es)

    @property
    def fields(self) -> str:
        """The bits of each field."""
        return f"1 sign, a regime, at most {self.es} exponent and {self.fraction_bits} fraction bits"

    def decoded(self, codes: Integers) -> Decoded:
        """Run of equal bits, exponent, fraction."""
        top = 1 << (self.bits - 1)
        negative = codes >= top
        size = np.where(negative, (1 << self.bits) - codes, codes)
        body = size & (top - 1)
        first = (body >> (self.bits - 2)) & 1
        differing = np.where(first == 1, ~body & (top - 1), body)  # its leading one ends the run
        run = self.bits - 1 - np.where(differing > 0, np.frexp(differing.astype(np.float64))[1], 0)
        regime = np.where(first == 1, run - 1, -run)
        left = np.maximum(self.bits - 2 - run, 0)  # bits behind the run and the bit that ends it
        rest = (body & ((np.int64(1) << left) - 1)) << (self.bits - left)  # to the top of a word of `bits` bits
        exponent = (regime << self.es) + (rest >> (self.bits - self.es))
        fraction = (rest & ((1 << (self.bits - self.es)) - 1)) >> (self.bits - self.es - self.fraction_bits)
        no = np.zeros(codes.shape, dtype=bool)
        return Decoded(negative=negative, exponent=exponent, fraction=fraction, zero=codes == 0, infinite=no, nan=codes == top)

    def patterns(self, ranks: Integers) -> Integers:
        """Two's complement."""
        return ranks & ((1 << self.bits) - 1)

    def halfway(self, ranks: Integers) -> Reals:
        """The posit of one bit more between the two; 0 for the rank 0."""
        longer = Posit(bits=self.bits + 1, es=self.es)
        return np.where(ranks == 0, 0.0, longer.values(2 * ranks + 1))

    def significands(self) -> Reals:
        """1 + x."""
        return _linear(self.fraction_bits)


@final
@dataclass(frozen=True, kw_only=True)
class Logarithmic(NumberSystem):
    """A sign and a base-two logarithm in fixed point with `broken` bits behind the point, biased by 2**(bits-2) steps; size code 0: zero.

    Rounding is to the nearest logarithm; what is below half of the least number is 0.

    Reference: J. Zhao et al., LNS-Madam: low-precision training in logarithmic number system using multiplicative weight update, IEEE
    Transactions on Computers 71(12), 2022, arXiv:2106.13914 (8 bits, 8 steps an octave)
    """

    linear = False

    bits: int
    broken: int

    @property
    def width(self) -> int:
        """Bits of a code."""
        return self.bits

    @property
    def fraction_bits(self) -> int:
        """Those behind the point."""
        return self.broken

    @property
    def fields(self) -> str:
        """The bits of each field."""
        return f"1 sign and a logarithm of {self.bits - 1} bits, {self.broken} of them behind the point"

    def decoded(self, codes: Integers) -> Decoded:
        """Whole and broken part of the logarithm."""
        size = codes & ((1 << (self.bits - 1)) - 1)
        steps = size - (1 << (self.bits - 2))
        no = np.zeros(codes.shape, dtype=bool)
        fraction = steps & ((1 << self.broken) - 1)
        return Decoded(
            negative=codes >> (self.bits - 1) == 1, exponent=steps >> self.broken, fraction=fraction, zero=size == 0, infinite=no, nan=no
        )

    def patterns(self, ranks: Integers) -> Integers:
        """The size's bits under the sign."""
        return _sign_and_size(ranks, self.bits)

    def halfway(self, ranks: Integers) -> Reals:
        """The geometric mean; half of the least number for the rank 0."""
        return np.where(ranks == 0, self.values(1) / 2, np.sqrt(self.values(ranks) * self.values(ranks + 1)))

    def significands(self) -> Reals:
        """2**x."""
        return np.exp2(np.arange(1 << self.broken) / 2.0**self.broken)


def _sign_and_size(ranks: Integers, width: int) -> Integers:
    found: Integers = np.abs(ranks) | ((ranks < 0).astype(np.int64) << (width - 1))
    return found


def _linear(mantissa: int) -> Reals:
    return 1 + np.arange(1 << mantissa) / 2.0**mantissa


SYSTEMS: dict[str, NumberSystem] = {
    "e4m3": SmallFloat(exponent=4, mantissa=3, specials="nan"),
    "e5m2": SmallFloat(exponent=5, mantissa=2, specials="ieee"),
    "e3m2": SmallFloat(exponent=3, mantissa=2, specials="none"),
    "e2m3": SmallFloat(exponent=2, mantissa=3, specials="none"),
    "e2m1": SmallFloat(exponent=2, mantissa=1, specials="none"),
    "posit8_0": Posit(bits=8, es=0),
    "posit8_1": Posit(bits=8, es=1),
    "posit8_2": Posit(bits=8, es=2),
    "lns8": Logarithmic(bits=8, broken=3),
    "fp16": SmallFloat(exponent=5, mantissa=10, specials="ieee"),
    "bf16": SmallFloat(exponent=8, mantissa=7, specials="ieee"),
}
"""By name: the OCP floats of 8, 6 and 4 bits, posits of 8 bits (posit8_2 is that of the standard), logarithms, IEEE half, bfloat16."""
