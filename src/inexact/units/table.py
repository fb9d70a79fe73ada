"""A multiplier given by its truth table: measured, imported, or made by a function of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.core.errors import FormatError, SpecError
from inexact.core.files import atomic_path
from inexact.core.files import sha256 as digest
from inexact.units._base import MAX_TABLE_BITS, Integers, Multiplier, Table, multipliers

SUFFIXES = (".npy", ".npz", ".csv")

_TABLES: dict[tuple[str, tuple[int, ...]], Table] = {}
"""Tables met in this process by SHA-256 and shape: a content-addressed cache, so a spec with a hash finds its table again."""


@multipliers.register("table")
@final
@dataclass(frozen=True, kw_only=True)
class TableUnit(Multiplier):
    """A multiplier that looks its product up. Identity is the table's SHA-256, never the file's name.

    path: `.npy`, `.npz` (array `lut`, or the only one) or `.csv` with `2**wa` rows and `2**wb` columns, index = bit pattern.
    content: hex SHA-256 of the table as little-endian int32; filled in when empty and checked when given. Without a path it must
    name a table already met in this process (see `from_table`). signed: two's complement operands. width: bits of (a, b).
    """

    path: str = ""
    content: str = ""
    signed: bool = False
    width: tuple[int, int] = (8, 8)

    def check(self) -> None:
        """Load the file, compare its hash, remember the table."""
        if sum(self.width) > MAX_TABLE_BITS:
            raise SpecError(f"a table needs at most {MAX_TABLE_BITS} operand bits together, not {sum(self.width)}")
        if not self.path:
            _known(self.content, self.width)
            return
        object.__setattr__(self, "path", str(self.path))
        lut = as_table(_read(self.path), self.width, self.path)
        found = remember(lut)
        if self.content and self.content != found:
            raise FormatError(f"the table in {self.path} must have SHA-256 {self.content}, but it has {found}; it is another unit")
        object.__setattr__(self, "content", found)

    def product(self, a: Integers, b: Integers) -> Integers:
        """Look-up by bit pattern."""
        lut = _known(self.content, self.width)
        return np.asarray(lut[a & (lut.shape[0] - 1), b & (lut.shape[1] - 1)], dtype=np.int64)

    def save(self, target: str | Path) -> TableUnit:
        """Write the table as `.npy` (atomically) and return the unit that names this file, which another process can load."""
        name = str(target) if str(target).endswith(".npy") else f"{target}.npy"
        with atomic_path(name) as temporary, temporary.open("wb") as handle:
            np.save(handle, self.table())
        return TableUnit(path=name, content=self.content, signed=self.signed, width=self.width)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Asymmetric tables made from a fixed formula; one signed, one of unequal width."""
        made = []
        for signed, width in ((False, (8, 8)), (True, (8, 8)), (False, (8, 4)), (True, (4, 4))):
            i, j = np.indices((1 << width[0], 1 << width[1]))
            lut = i * j - (i * 7 + j * 3) % 11
            made.append(cls(content=remember(lut.astype(np.int32)), signed=signed, width=width))
        return made


def from_table(lut: ArrayLike, *, signed: bool, width: tuple[int, int] = (8, 8)) -> TableUnit:
    """The unit with truth table `lut` `[2**wa, 2**wb]`, integers that fit int32, index = bit pattern (two's complement when signed).

    Its spec holds for this process; `unit.save(path)` gives a unit whose spec holds anywhere.
    Raises FormatError when shape, type or range do not fit.
    """
    return TableUnit(content=remember(as_table(np.asarray(lut), width, "the given array")), signed=signed, width=width)


def as_table(array: NDArray[np.generic], width: tuple[int, int], name: str) -> Table:
    """`array` as int32 table, or FormatError that says what does not fit."""
    shape = (1 << width[0], 1 << width[1])
    if array.shape != shape:
        fitting = tuple(size.bit_length() - 1 for size in array.shape)
        is_table = array.ndim == 2 and min(fitting) > 0 and array.shape == (1 << fitting[0], 1 << fitting[1])
        other = f"; its width is {fitting}" if is_table else ""
        raise FormatError(f"a table for width {width[0]}x{width[1]} must have shape {shape}, but {name} has {array.shape}{other}")
    if array.dtype.kind not in "iu":
        raise FormatError(f"a table must hold integers, but {name} holds {array.dtype}")
    wide = array.astype(np.int64)
    if wide.min() < -(2**31) or wide.max() >= 2**31:
        raise FormatError(f"entries of a table must fit 32 bits (-2**31..2**31-1), but {name} has {wide.min()}..{wide.max()}")
    return wide.astype(np.int32)


def remember(lut: Table) -> str:
    """Keep a private copy of the table under its SHA-256 and return the hash."""
    key = digest(np.ascontiguousarray(lut).astype("<i4").tobytes())
    if (key, lut.shape) not in _TABLES:
        own = np.array(lut, dtype=np.int32, order="C")
        own.flags.writeable = False
        _TABLES[key, lut.shape] = own
    return key


def _known(content: str, width: tuple[int, int]) -> Table:
    if not content:
        raise SpecError("table needs path=, a file with the truth table, as in table(path='unit.npy'); in Python use units.from_table")
    shape = (1 << width[0], 1 << width[1])
    if (content, shape) in _TABLES:
        return _TABLES[content, shape]
    other = next((lut for (key, _), lut in _TABLES.items() if key == content), None)
    if other is None:
        raise SpecError(f"no table with SHA-256 {content!r} was met in this process; save the unit and use table(path='…')")
    return as_table(other, width, f"the table {content[:12]}")  # which says that the shape does not fit


def _read(path: str) -> NDArray[np.generic]:
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise FormatError(f"a table file must end in .npy, .npz or .csv, not {path!r}")
    try:
        if suffix == ".csv":
            return np.loadtxt(path, dtype=np.int64, delimiter=",", ndmin=2)
        found = np.load(path, allow_pickle=False)
        if suffix == ".npy":
            return np.asarray(found)
        with found:
            names = list(found.keys())
            if "lut" not in names and len(names) != 1:
                came = ", ".join(names) or "none"
                raise FormatError(f"{path} must hold one array or one called 'lut', but holds {came}; `inexact unit import` takes one out")
            return np.asarray(found["lut" if "lut" in names else names[0]])
    except FormatError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(f"{path} must be a readable table file: {error}") from error
