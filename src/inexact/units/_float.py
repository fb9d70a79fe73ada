"""What every small-float multiplier is: operands are codes of a number system, signs and exponents exact, one hook for significands."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits import Builder, Circuit, Wires
from inexact.core.errors import FormatError, SpecError, near
from inexact.core.files import sha256
from inexact.core.numbers import SYSTEMS, NumberSystem
from inexact.core.registry import Family, spec_of
from inexact.units._base import Integers
from inexact.units._float_circuit import multiplier_circuit, parts_circuit, spare_bits

Reals = NDArray[np.float64]

MAX_TABLE_WIDTH = 8


class FloatMultiplier(ABC):
    """Product of two small floats, as the exact real number the unit's circuit stands for (no rounding to a format). A member writes one
    hook: `significand`. Operands are codes (bit patterns): a = activation, b = weight. Zero, infinity and NaN behave as in IEEE 754.
    """

    family_name: ClassVar[str]
    multiplies: ClassVar[bool] = True
    """Whether fractions are those of linear significands; false: of logarithms."""

    @property
    @abstractmethod
    def format(self) -> str:
        """Name of the operands' number system, one of `core.numbers.SYSTEMS`."""

    @property
    def layout(self) -> NumberSystem:
        """The operands' number system."""
        return SYSTEMS[self.format]

    @property
    def width(self) -> tuple[int, int]:
        """Bits of the codes of a and b."""
        return self.layout.width, self.layout.width

    @property
    def signed(self) -> bool:
        """Always: a code carries its sign."""
        return True

    @final
    def __post_init__(self) -> None:
        if self.format not in SYSTEMS:
            raise SpecError(f"format must be {', '.join(SYSTEMS)}, not {self.format!r}{near(str(self.format), SYSTEMS)}")
        if self.layout.linear != self.multiplies:
            raise SpecError(
                f"{self.family_name} cannot multiply {self.format}: {'logarithms are added' if self.multiplies else 'it adds logarithms'}"
            )
        self.check()

    def check(self) -> None:  # noqa: B027  a hook: some members have nothing to check
        """Hook: raise SpecError when a parameter is out of range."""

    @abstractmethod
    def significand(self, x: Integers, y: Integers) -> Reals:
        """Hook: what the unit takes for (1 + x/2**m)(1 + y/2**m), or 2**((x+y)/2**m) of logarithms, for fractions x, y of m bits."""

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """Hook: place the gates of `significand`; x, y: the leading bit at the top (of logarithms the fractions). None = no circuit."""
        return None

    @property
    def point(self) -> int:
        """Hook: bits behind the point of what `place` returns."""
        return 2 * self.layout.fraction_bits

    @property
    def exact_significands(self) -> bool:
        """Hook: whether `place` multiplies exactly, also what has no leading one."""
        return False

    @final
    def circuit(self) -> Circuit | None:
        """The netlist: codes a, b to the product p, an integer in steps of `circuit_step`; None without one, beyond 8 bits, and for
        products of more than 64."""
        return _circuit(self) if self.layout.width <= MAX_TABLE_WIDTH else None

    @final
    def parts_circuit(self) -> Circuit | None:
        """The netlist of the product in parts, for formats of any width: codes a, b to significand s, exponent e and sign n.

        The product is (-1)**n s 2**e steps of `parts_step`; s is 0 where it is 0. None when the significands have no netlist.
        """
        return _parts(self)

    @final
    @property
    def parts_step(self) -> float:
        """What a significand of 1 with an exponent of 0 stands for in `parts_circuit`."""
        return float(np.ldexp(self.circuit_step, -spare_bits(self.layout, exact=self.exact_significands)))

    @final
    @property
    def circuit_step(self) -> float:
        """What one unit of the netlist's product stands for."""
        least = self.layout.decoded(self.layout.patterns(np.array([1]))).exponent[0]
        behind = 0 if self.exact_significands else self.point
        return float(np.ldexp(1.0, 2 * int(least) - behind))

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
def _circuit(unit: FloatMultiplier) -> Circuit | None:
    return multiplier_circuit(unit.spec, unit.layout, unit.place, exact=unit.exact_significands)


@functools.lru_cache(maxsize=64)
def _parts(unit: FloatMultiplier) -> Circuit | None:
    return parts_circuit(f"{unit.spec} in parts", unit.layout, unit.place, exact=unit.exact_significands)


@functools.lru_cache(maxsize=64)
def _values(unit: FloatMultiplier) -> Reals:
    codes = np.arange(1 << unit.layout.width, dtype=np.int64)
    found = np.ascontiguousarray(unit(codes[:, None], codes[None, :]))
    found.flags.writeable = False
    return found
