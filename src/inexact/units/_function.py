"""What every non-linear unit is: a real function of fixed-point numbers, one hook, and the table, hash and spec that follow from it."""

from __future__ import annotations

import functools
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits import MAX_OUTPUT_BITS, Builder, Circuit, Wires
from inexact.core.errors import FormatError, SpecError, near, require_range
from inexact.core.files import sha256
from inexact.core.registry import Family, spec_of
from inexact.units._gates import GateCount

Codes = NDArray[np.int64]
"""Fixed-point numbers as integers: value = code / 2**fraction."""

Reals = NDArray[np.float64]

_erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True, kw_only=True)
class Target:
    """A real function a unit approximates. low, high: the values it is meant for; the limits of the format cut them further.

    signed, out_signed: whether arguments and results are two's complement.
    """

    exact: Callable[[Reals], Reals]
    low: float
    high: float
    signed: bool
    out_signed: bool


TARGETS: dict[str, Target] = {
    "exp": Target(exact=np.exp, low=-math.inf, high=0.0, signed=True, out_signed=False),
    "gelu": Target(exact=lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2))), low=-math.inf, high=math.inf, signed=True, out_signed=True),
    "rsqrt": Target(exact=lambda x: 1 / np.sqrt(x), low=0.0, high=math.inf, signed=False, out_signed=False),
    "sigmoid": Target(exact=lambda x: 1 / (1 + np.exp(-x)), low=-math.inf, high=math.inf, signed=True, out_signed=False),
    "tanh": Target(exact=np.tanh, low=-math.inf, high=math.inf, signed=True, out_signed=True),
}
"""Known functions by name. exp is meant for arguments up to 0 (as in a softmax), rsqrt for those above 0."""


@dataclass(frozen=True, kw_only=True)
class FunctionGolden:
    """Bounds or values known from outside the code; None = not known.

    max_ulp: greatest |error| in units of the result's last place, at most. max_relative: greatest relative error where the result is
    not below 2**-4, at most.
    """

    source: str
    max_ulp: float | None = None
    max_relative: float | None = None


class Function(ABC):
    """A non-linear unit: fixed-point codes in, fixed-point codes out. Members are frozen, keyword-only dataclasses and final.

    width, fraction: bits of an argument, and how many of them are fraction. out_width, out_fraction: the same of a result. Results
    saturate. A unit either works element by element, and then has a table, or along the last axis (softmax).
    """

    family_name: ClassVar[str]

    @property
    @abstractmethod
    def width(self) -> int:
        """Bits of an argument, 2..16."""

    @property
    @abstractmethod
    def fraction(self) -> int:
        """Fraction bits of an argument."""

    @property
    @abstractmethod
    def out_width(self) -> int:
        """Bits of a result, 2..32."""

    @property
    @abstractmethod
    def out_fraction(self) -> int:
        """Fraction bits of a result."""

    @property
    @abstractmethod
    def target(self) -> str:
        """What is approximated: a name of `TARGETS`, or softmax."""

    @property
    def elementwise(self) -> bool:
        """Whether every result depends on one argument."""
        return True

    @property
    def signed(self) -> bool:
        """Whether arguments are two's complement."""
        return TARGETS[self.target].signed

    @property
    def out_signed(self) -> bool:
        """Whether results are two's complement."""
        return TARGETS[self.target].out_signed

    @final
    def __post_init__(self) -> None:
        require_range("width", self.width, 2, 16, bound="bits of an argument")
        require_range("fraction", self.fraction, 0, self.width, bound="0..width")
        require_range("out_width", self.out_width, 2, 32, bound="bits of a result")
        require_range("out_fraction", self.out_fraction, 0, self.out_width, bound="0..out_width")
        self.check()

    def check(self) -> None:  # noqa: B027  a hook: some members have nothing to check
        """Hook: raise SpecError when a parameter is out of range."""

    @abstractmethod
    def evaluate(self, codes: Codes) -> Codes:
        """Hook: results for checked argument codes; they are saturated afterwards."""

    @final
    def __call__(self, codes: ArrayLike) -> Codes:
        """The unit's results for argument codes, as int64. Raises FormatError when a code is no integer or does not fit the width."""
        array = np.asarray(codes)
        if array.dtype.kind not in "iu":
            raise FormatError(f"arguments of {self.spec} must be fixed-point codes (integers), not {array.dtype}; see quantise()")
        low, high = self.argument_range()
        if array.size and (int(array.min()) < low or int(array.max()) > high):
            raise FormatError(
                f"arguments of {self.spec} must be {low}..{high} ({self.width} bits), not {int(array.min())}..{int(array.max())}"
            )
        return self.saturated(self.evaluate(array.astype(np.int64)))

    @final
    def apply(self, values: ArrayLike) -> Reals:
        """The same on real numbers: quantised (nearest, saturating), evaluated, and turned back."""
        return self(self.quantise(values)) / 2.0**self.out_fraction

    @final
    def quantise(self, values: ArrayLike) -> Codes:
        """Nearest argument codes of real numbers, saturating. Raises FormatError for values that are not finite."""
        reals = np.asarray(values, dtype=np.float64)
        if not np.isfinite(reals).all():
            raise FormatError(f"arguments of {self.spec} must be finite")
        low, high = self.argument_range()
        return np.clip(np.rint(reals * 2.0**self.fraction), low, high).astype(np.int64)

    @final
    def saturated(self, codes: Codes) -> Codes:
        """Codes cut to the result's range."""
        low, high = _range(self.out_width, self.out_signed)
        return np.clip(codes, low, high)

    @final
    def argument_range(self) -> tuple[int, int]:
        """Least and greatest argument code."""
        return _range(self.width, self.signed)

    @final
    def arguments(self) -> Codes:
        """All argument codes in the order of their bit patterns."""
        patterns = np.arange(1 << self.width, dtype=np.int64)
        return np.where(self.signed & (patterns >> (self.width - 1) == 1), patterns - (1 << self.width), patterns)

    @final
    def in_domain(self) -> NDArray[np.bool_]:
        """Which of `arguments()` the function is meant for (elementwise units)."""
        target, values = TARGETS[self.target], self.arguments() / 2.0**self.fraction
        return np.asarray((values >= target.low) & (values <= target.high) & np.isfinite(self.exact(values)))

    @final
    def exact(self, values: Reals) -> Reals:
        """The real function, without quantisation, elementwise units; not finite where it is not defined."""
        with np.errstate(all="ignore"):
            return np.asarray(TARGETS[self.target].exact(values), dtype=np.float64)

    @final
    def table(self) -> NDArray[np.int32]:
        """Result codes for all arguments, by bit pattern, read-only, cached. Raises SpecError for units that are not elementwise."""
        if not self.elementwise:
            raise SpecError(f"{self.family_name} depends on a whole row and has no table; call it")
        return _table(self)

    @final
    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the table as little-endian int32; of the spec for units without a table."""
        return sha256(self.table().astype("<i4").tobytes() if self.elementwise else self.spec.encode())

    @final
    @property
    def spec(self) -> str:
        """Canonical spec string; `units.functions.get(unit.spec) == unit`."""
        return spec_of(self)

    def place(self, b: Builder, x: Wires) -> Wires | None:
        """Hook: place the unit's gates on the argument's wires and return the result's `out_width` wires; None = no circuit."""
        return None

    @final
    def circuit(self) -> Circuit | None:
        """The gate-level netlist with input `x` and output `y`, cached; None while the unit has none. Of softmax see `row_circuit`."""
        return _circuit(self)

    def place_row(self, b: Builder, row: Sequence[Wires]) -> Sequence[Wires] | None:
        """Hook of units along the last axis: place the gates of a whole row; a word of `out_width` wires an argument."""
        return None

    @final
    def row_circuit(self, size: int) -> Circuit | None:
        """The netlist of a row of `size` arguments side by side, inputs `x0`, `x1`, … and outputs `y0`, `y1`, …, cached.

        None for units that work element by element. SpecError for rows of other than 1 to `longest_row` arguments.
        """
        require_range("size", size, 1, self.longest_row, bound="arguments of a row whose results have at most 64 bits together")
        return _row_circuit(self, size)

    @property
    def longest_row(self) -> int:
        """Arguments of the longest row with a netlist."""
        return MAX_OUTPUT_BITS // self.out_width

    def golden(self) -> FunctionGolden | None:
        """What is known of the error from outside the code, or None."""
        return None

    def gates(self) -> GateCount | None:
        """Gates of a straightforward realisation, or None."""
        return None

    @classmethod
    @abstractmethod
    def samples(cls) -> Sequence[Self]:
        """Members the contract tests run over."""


functions: Family[Function] = Family("function", "inexact.units")


def require_target(name: object, known: Sequence[str]) -> None:
    """Raise SpecError unless the unit knows the function `name`."""
    if name not in known:
        raise SpecError(f"function must be {', '.join(known[:-1])} or {known[-1]}, not {name!r}{near(str(name), known)}")


def require_power(name: str, value: int, low: int, high: int, why: str) -> None:
    """Raise SpecError unless `value` is a power of two in low..high."""
    good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high and value & (value - 1) == 0
    if not good:
        raise SpecError(f"{name} must be a power of two in {low}..{high} ({why}), not {value!r}")


def rounded_shift(x: Codes, bits: int | Codes) -> Codes:
    """x / 2**bits to the nearest integer, ties up; a negative `bits` multiplies."""
    shift = np.asarray(bits, dtype=np.int64)
    down, up = np.maximum(shift, 0), np.maximum(-shift, 0)
    half = np.where(down > 0, np.int64(1) << np.maximum(down - 1, 0), 0)
    return np.asarray(((x << up) + half) >> down, dtype=np.int64)


def _range(width: int, signed: bool) -> tuple[int, int]:
    return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)


@functools.lru_cache(maxsize=256)
def _circuit(unit: Function) -> Circuit | None:
    b = Builder(re.sub(r"\W+", "_", unit.spec).strip("_"))
    result = unit.place(b, b.input("x", unit.width, signed=unit.signed))
    if result is None:
        return None
    b.output("y", result, signed=unit.out_signed)
    return b.build()


@functools.lru_cache(maxsize=64)
def _row_circuit(unit: Function, size: int) -> Circuit | None:
    b = Builder(re.sub(r"\W+", "_", f"{unit.spec} of {size}").strip("_"))
    results = unit.place_row(b, [b.input(f"x{place}", unit.width, signed=unit.signed) for place in range(size)])
    if results is None:
        return None
    for place, result in enumerate(results):
        b.output(f"y{place}", result, signed=unit.out_signed)
    return b.build()


@functools.lru_cache(maxsize=256)
def _table(unit: Function) -> NDArray[np.int32]:
    found = unit(unit.arguments()).astype(np.int64).astype(np.int32)
    found.flags.writeable = False
    return found
