"""What every small-float multiplier is: operands are codes of a float format, signs and exponents are exact, one hook for significands."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.core.errors import FormatError, SpecError, near
from inexact.core.files import sha256
from inexact.core.registry import Family, spec_of
from inexact.units._base import Integers

Reals = NDArray[np.float64]

MAX_TABLE_WIDTH = 8


@dataclass(frozen=True, kw_only=True)
class SmallFloat:
    """A float format: sign, exponent and mantissa bits, from the top. specials: what an exponent of ones means: "ieee" (infinities and
    NaN), "nan" (NaN only where the mantissa is all ones too, else a number) or "none" (always a number). Subnormals are kept.
    """

    exponent: int
    mantissa: int
    specials: str

    @property
    def width(self) -> int:
        """Bits of a code."""
        return 1 + self.exponent + self.mantissa

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
        nan = (
            ones & (low != 0)
            if self.specials == "ieee"
            else ones & (low == (1 << self.mantissa) - 1)
            if self.specials == "nan"
            else nothing
        )
        # a subnormal is normalised: its leading one becomes the hidden one
        place = np.where(stored > 0, self.mantissa, np.maximum(np.frexp(low.astype(np.float64))[1] - 1, 0))
        fraction = np.where(stored > 0, low, (low << (self.mantissa - place)) & ((1 << self.mantissa) - 1))
        exponent = np.maximum(stored, 1) - self.bias + place - self.mantissa
        zero = (stored == 0) & (low == 0)
        return Decoded(negative=codes >> (self.width - 1) == 1, exponent=exponent, fraction=fraction, zero=zero, infinite=infinite, nan=nan)

    def values(self, codes: ArrayLike) -> Reals:
        """The numbers the codes stand for."""
        d = self.decoded(np.asarray(codes, dtype=np.int64))
        size = np.ldexp(1 + d.fraction / 2.0**self.mantissa, d.exponent.astype(np.int32))
        size = np.where(d.zero, 0.0, np.where(d.infinite, np.inf, np.where(d.nan, np.nan, size)))
        return np.where(d.negative, -size, size)


@dataclass(frozen=True)
class Decoded:
    """value = (-1)**negative 2**exponent (1 + fraction / 2**mantissa), unless zero, infinite or nan."""

    negative: NDArray[np.bool_]
    exponent: Integers
    fraction: Integers
    zero: NDArray[np.bool_]
    infinite: NDArray[np.bool_]
    nan: NDArray[np.bool_]


FORMATS: dict[str, SmallFloat] = {
    "e4m3": SmallFloat(exponent=4, mantissa=3, specials="nan"),
    "e5m2": SmallFloat(exponent=5, mantissa=2, specials="ieee"),
    "e3m2": SmallFloat(exponent=3, mantissa=2, specials="none"),
    "e2m3": SmallFloat(exponent=2, mantissa=3, specials="none"),
    "e2m1": SmallFloat(exponent=2, mantissa=1, specials="none"),
    "fp16": SmallFloat(exponent=5, mantissa=10, specials="ieee"),
    "bf16": SmallFloat(exponent=8, mantissa=7, specials="ieee"),
}
"""Formats by name: the OCP 8-, 6- and 4-bit ones, IEEE half, bfloat16."""


class FloatMultiplier(ABC):
    """Product of two small floats, as the exact real number the unit's circuit stands for (no rounding to a format). A member writes one
    hook: `significand`. Operands are codes (bit patterns): a = activation, b = weight. Zero, infinity and NaN behave as in IEEE 754.
    """

    family_name: ClassVar[str]

    @property
    @abstractmethod
    def format(self) -> str:
        """Name of the operands' format, one of `FORMATS`."""

    @property
    def layout(self) -> SmallFloat:
        """The operands' format."""
        return FORMATS[self.format]

    @final
    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise SpecError(f"format must be {', '.join(FORMATS)}, not {self.format!r}{near(str(self.format), FORMATS)}")
        self.check()

    def check(self) -> None:  # noqa: B027  a hook: some members have nothing to check
        """Hook: raise SpecError when a parameter is out of range."""

    @abstractmethod
    def significand(self, x: Integers, y: Integers) -> Reals:
        """Hook: what the unit takes for (1 + x/2**m)(1 + y/2**m), for fractions x, y of m = mantissa bits."""

    @final
    def __call__(self, a: ArrayLike, b: ArrayLike) -> Reals:
        """The unit's products for operand codes, as float64. Raises FormatError for codes that are no integers of the format's bits."""
        first, second = np.broadcast_arrays(self._codes("a", a), self._codes("b", b))
        p, q = self.layout.decoded(first), self.layout.decoded(second)
        size = np.ldexp(self.significand(p.fraction, q.fraction), (p.exponent + q.exponent).astype(np.int32))
        zero, infinite = p.zero | q.zero, p.infinite | q.infinite
        size = np.where(zero, 0.0, np.where(infinite, np.inf, size))
        size = np.where(p.nan | q.nan | (zero & infinite), np.nan, size)
        return np.where(p.negative ^ q.negative, -size, size)

    def _codes(self, name: str, codes: ArrayLike) -> Integers:
        array, width = np.asarray(codes), self.layout.width
        if array.dtype.kind not in "iu":
            raise FormatError(f"operand {name} of {self.spec} must hold {self.format} codes (integers), not {array.dtype}")
        if array.size and (int(array.min()) < 0 or int(array.max()) >= 1 << width):
            raise FormatError(f"codes of {self.format} must be 0..{(1 << width) - 1}, not {int(array.min())}..{int(array.max())}")
        return array.astype(np.int64)

    @final
    def exact(self, a: ArrayLike, b: ArrayLike) -> Reals:
        """The exact products of the numbers the codes stand for."""
        with np.errstate(invalid="ignore"):
            return self.layout.values(a) * self.layout.values(b)

    @final
    def values(self) -> Reals:
        """The table `[2**w, 2**w]` of products, float64, read-only, cached; formats up to 8 bits. Raises SpecError beyond."""
        if self.layout.width > MAX_TABLE_WIDTH:
            raise SpecError(
                f"a table of products needs a format of at most {MAX_TABLE_WIDTH} bits, not {self.format}; call the unit instead"
            )
        return _values(self)

    @final
    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the table of products as little-endian float64; of the spec for wider formats."""
        narrow = self.layout.width <= MAX_TABLE_WIDTH
        return sha256(self.values().astype("<f8").tobytes() if narrow else self.spec.encode())

    @final
    @property
    def spec(self) -> str:
        """Canonical spec string; `units.float_multipliers.get(unit.spec) == unit`."""
        return spec_of(self)

    @classmethod
    @abstractmethod
    def samples(cls) -> Sequence[Self]:
        """Members the contract tests run over."""


float_multipliers: Family[FloatMultiplier] = Family("float multiplier", "inexact.units")


@functools.lru_cache(maxsize=64)
def _values(unit: FloatMultiplier) -> Reals:
    codes = np.arange(1 << unit.layout.width, dtype=np.int64)
    found = np.ascontiguousarray(unit(codes[:, None], codes[None, :]))
    found.flags.writeable = False
    return found
