"""What every multiplier and adder is: widths, signedness, one hook, and the table, hash and spec that follow from them."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits import Builder, Circuit, Serial, Wires
from inexact.core.accumulation import BitRule
from inexact.core.errors import FormatError, SpecError, require_range
from inexact.core.files import sha256
from inexact.core.registry import Family, spec_of
from inexact.units import _netlists
from inexact.units._gates import GateCount

Integers = NDArray[np.int64]
"""Operand or result VALUES (not bit patterns)."""

Table = NDArray[np.int32]
"""Truth table `[2**wa, 2**wb]`, read-only; index = bit pattern, two's complement when the unit is signed."""

MIN_WIDTH, MAX_WIDTH = 2, 32
MAX_TOGETHER = 60  # products, and what units form on the way to them, fit int64
MAX_ADDER_WIDTH = 62  # a sum with its carry out fits int64
MAX_TABLE_BITS = 20


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Error metrics known from outside the code: a derivation or a publication. Uniform operands, all pairs.

    Fields are named and defined as in `inexact.metrics.Profile`; None = not known. `relative_tolerance` covers the printed digits.
    """

    source: str
    error_probability: float | None = None
    mae: float | None = None
    mse: float | None = None
    wce: float | None = None
    wcre: float | None = None
    mred: float | None = None
    mred_all: float | None = None
    mean_error: float | None = None
    error_rank: int | None = None
    relative_tolerance: float = 1e-9

    def values(self) -> dict[str, float]:
        """The known metrics by name."""
        names = ("error_probability", "mae", "mse", "wce", "wcre", "mred", "mred_all", "mean_error", "error_rank")
        return {name: float(value) for name in names if (value := getattr(self, name)) is not None}


class Unit(ABC):
    """What multipliers and adders share. Members are frozen, keyword-only dataclasses and final.

    width: bits of (a, b), a = activation, b = weight; one number means both.
    """

    family_name: ClassVar[str]
    widest: ClassVar[int]
    together: ClassVar[int] = 2 * MAX_ADDER_WIDTH

    @property
    @abstractmethod
    def width(self) -> tuple[int, int]:
        """Bits of the operands (a, b); a member declares it as its last field."""

    @property
    def signed(self) -> bool:
        """Whether operands are two's complement; a field only where a member has both."""
        return False

    @final
    def __post_init__(self) -> None:
        object.__setattr__(self, "width", _pair(self.width))
        if not isinstance(self.signed, bool):
            raise SpecError(f"signed must be true or false, not {self.signed!r}")
        for bits in self.width:
            require_range("width", bits, MIN_WIDTH, self.widest, bound="bits of an operand")
        require_range("width", sum(self.width), 2 * MIN_WIDTH, self.together, bound="bits of both operands together")
        self.check()

    def check(self) -> None:  # noqa: B027  a hook: most members have nothing to check
        """Hook: raise SpecError when a parameter is out of range for this width."""

    @abstractmethod
    def exact(self, a: Integers, b: Integers) -> Integers:
        """What an exact unit would give."""

    @abstractmethod
    def approx(self, a: Integers, b: Integers) -> Integers:
        """What this unit gives, without checks; use the unit itself as a function instead."""

    @final
    def __call__(self, a: ArrayLike, b: ArrayLike) -> Integers:
        """The unit's result for operand values `a`, `b` (integers, broadcast) as int64.

        Raises FormatError when a value is no integer or does not fit the width.
        """
        return np.asarray(self.approx(*np.broadcast_arrays(self._operand("a", a, 0), self._operand("b", b, 1))), dtype=np.int64)

    def _operand(self, name: str, values: ArrayLike, side: int) -> Integers:
        array = np.asarray(values)
        if array.dtype.kind not in "iu":
            raise FormatError(f"operand {name} of {self.spec} must hold integers, not {array.dtype}; quantise it first")
        low, high = self.operand_range(side)
        if array.size and (int(array.min()) < low or int(array.max()) > high):
            coding = f"{self.width[side]} bits, {'signed' if self.signed else 'unsigned'}"
            raise FormatError(f"operand {name} of {self.spec} must be {low}..{high} ({coding}), not {int(array.min())}..{int(array.max())}")
        return array.astype(np.int64)

    @final
    def operand_range(self, side: int) -> tuple[int, int]:
        """Least and greatest value of operand a (`side` 0) or b (1)."""
        bits = self.width[side]
        return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if self.signed else (0, (1 << bits) - 1)

    @final
    def operand_values(self, side: int) -> Integers:
        """Values of operand a (`side` 0) or b (1) in the order of their bit patterns."""
        bits = self.width[side]
        patterns = np.arange(1 << bits, dtype=np.int64)
        return np.where(patterns >> (bits - 1) == 1, patterns - (1 << bits), patterns) if self.signed else patterns

    @final
    def table(self) -> Table:
        """The truth table `[2**wa, 2**wb]`, int32, read-only, cached. Raises SpecError above 20 operand bits together."""
        if sum(self.width) > MAX_TABLE_BITS:
            raise SpecError(
                f"a table needs at most {MAX_TABLE_BITS} operand bits together, not {sum(self.width)} ({self.spec}); call the unit instead"
            )
        return _table(self)

    @final
    def exact_table(self) -> Table:
        """The exact unit's table, laid out as `table()`."""
        return self.exact(*np.broadcast_arrays(*np.ix_(self.operand_values(0), self.operand_values(1)))).astype(np.int32)

    @final
    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the table as little-endian int32, C order: the unit's identity together with width and signedness."""
        return _table_hash(self)

    @final
    @property
    def spec(self) -> str:
        """Canonical spec string; `units.get(unit.spec) == unit`."""
        return spec_of(self)

    def place(self, b: Builder, x: Wires, y: Wires) -> Wires | None:
        """Hook: place the unit's gates on the operands' wires and return the result's, least significant first; None = no circuit.

        The result is read as a signed number when the unit is signed, and may have any width that holds it.
        """
        return None

    @final
    def circuit(self) -> Circuit | None:
        """The gate-level netlist with inputs `a`, `b` and output `y`, cached; None while the unit has none."""
        return _netlists.plain(self)

    def golden(self) -> Golden | None:
        """Error metrics known from outside the code for these parameters, or None."""
        return None

    def gates(self) -> GateCount | None:
        """Gates of a straightforward realisation, or None when nothing is known of the circuit (a table)."""
        return None

    @classmethod
    @abstractmethod
    def samples(cls) -> Sequence[Self]:
        """Members the contract tests, catalogues and benchmarks run over; every width and mode that differs in kind."""


class Multiplier(Unit):
    """Approximate (or exact) product of an activation a and a weight b. A member writes one hook: `product`."""

    widest: ClassVar[int] = MAX_WIDTH
    together: ClassVar[int] = MAX_TOGETHER

    @abstractmethod
    def product(self, a: Integers, b: Integers) -> Integers:
        """Hook: products of checked operand values, int64 arrays of one shape."""

    def modes(self) -> dict[str, Multiplier]:
        """Hook: the units of a run-time reconfigurable circuit by mode, in the order of its control code; empty for a unit of one mode."""
        return {}

    def place_switched(self, b: Builder, x: Wires, y: Wires, code: Wires) -> Wires | None:
        """Hook: the circuit that holds all modes, `code` the number of the mode in binary; None = no circuit, or one mode only."""
        return None

    def stored_values(self) -> tuple[int, ...]:
        """Hook: the b behind each code that weights are stored in, all different; empty for a unit that takes them as they are."""
        return ()

    def place_stored(self, b: Builder, x: Wires, code: Wires) -> Wires | None:
        """Hook: the circuit that takes a weight's stored code; None = no circuit, or no such code."""
        return None

    def serial(self) -> Serial | None:
        """Hook: the clocked circuit of a unit that takes many cycles for a product; None for the others."""
        return None

    @final
    @property
    def mode_bits(self) -> int:
        """Bits of the control code; 0 for a unit of one mode."""
        return max(0, len(self.modes()) - 1).bit_length()

    @final
    def switched_circuit(self) -> Circuit | None:
        """The netlist that holds all modes, cached: inputs `a` and `b`, whose upper `mode_bits` bits are the control code; output `y`."""
        return _netlists.switched(self) if self.mode_bits else None

    @final
    def stored_circuit(self) -> Circuit | None:
        """The netlist of an activation `a` and the stored code `b` of a weight, cached; output `y`. None where there is no such code."""
        return _netlists.stored(self)

    @final
    def exact(self, a: Integers, b: Integers) -> Integers:
        """The exact product."""
        return a * b

    @final
    def approx(self, a: Integers, b: Integers) -> Integers:
        """This unit's product, without checks."""
        return self.product(a, b)


class Adder(Unit):
    """Approximate (or exact) sum of two unsigned numbers of equal width, with carry out. A member writes one hook: `sum`.

    Operands have up to 62 bits, so that an adder may serve an accumulator.
    """

    widest: ClassVar[int] = MAX_ADDER_WIDTH

    @abstractmethod
    def sum(self, a: Integers, b: Integers) -> Integers:
        """Hook: sums of checked operand values, int64 arrays of one shape."""

    @final
    def exact(self, a: Integers, b: Integers) -> Integers:
        """The exact sum."""
        return a + b

    @final
    def approx(self, a: Integers, b: Integers) -> Integers:
        """This unit's sum, without checks."""
        return self.sum(a, b)

    def bit_rule(self) -> BitRule | None:
        """The same sum, modulo 2**width, as data for the fast engines; None when it is none of the rules they know."""
        return None


multipliers: Family[Multiplier] = Family("multiplier", "inexact.units")
adders: Family[Adder] = Family("adder", "inexact.units")


def principal(default: int | str) -> Any:
    """A field that says what a member is, so its spec always shows it: `trunc(cut=4)`, also at the default."""
    return field(default=default, metadata={"written": True})


def require_equal_width(unit: Unit, why: str) -> None:
    """Raise SpecError unless both operands have the same width; `why` says what the technique needs it for."""
    if unit.width[0] != unit.width[1]:
        raise SpecError(f"{unit.family_name} needs operands of equal width ({why}), not {unit.width[0]}x{unit.width[1]}")


def _pair(width: object) -> tuple[int, int]:
    if isinstance(width, int) and not isinstance(width, bool):
        return (width, width)
    if isinstance(width, (tuple, list)) and len(width) == 2 and all(isinstance(w, int) and not isinstance(w, bool) for w in width):
        return (width[0], width[1])
    raise SpecError(f"width must be one number of bits or a pair (bits of a, bits of b), not {width!r}")


@functools.lru_cache(maxsize=256)
def _table(unit: Unit) -> Table:
    grid = np.ix_(unit.operand_values(0), unit.operand_values(1))
    lut = np.ascontiguousarray(unit.approx(*np.broadcast_arrays(*grid)).astype(np.int32))
    lut.flags.writeable = False
    return lut


@functools.lru_cache(maxsize=4096)
def _table_hash(unit: Unit) -> str:
    return sha256(unit.table().astype("<i4").tobytes())
