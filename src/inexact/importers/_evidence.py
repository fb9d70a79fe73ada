"""Which of the ways to read a table makes it a multiplier: widths, sign, index order and entry coding, judged by the numbers themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import FormatError
from inexact.units._base import MAX_TABLE_BITS, MAX_WIDTH, MIN_WIDTH

Index = Literal["unsigned", "pattern", "numeric"]
"""How rows and columns are ordered: 0..2**w-1 of an unsigned unit; two's complement bit patterns; values from -2**(w-1) up."""

INDICES: tuple[Index, ...] = ("unsigned", "pattern", "numeric")

ADMISSIBLE = 0.6
"""Largest mean |table - a*b| / mean |a*b| at which a reading is taken for a multiplier; wrong readings of exact products score more."""

MARGIN = 0.6
"""The best reading must score at most this share of the next one, else the table could be either."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One way to read raw entries. rows, columns: bits of the first and second index.

    wrapped: bits of the patterns the entries are, None when they are values. source: which of the arrays was read.
    lut: int64 [2**rows, 2**columns], indexed by bit pattern. score: mean |lut - exact| / mean |exact|, uniform operands.
    """

    rows: int
    columns: int
    index: Index
    wrapped: int | None
    lut: NDArray[np.int64]
    score: float
    source: int

    @property
    def signed(self) -> bool:
        """Whether operands are two's complement."""
        return self.index != "unsigned"

    def __str__(self) -> str:
        order = {
            "unsigned": "unsigned",
            "pattern": "signed, two's complement index",
            "numeric": f"signed, index from {-(1 << (self.rows - 1))} up",
        }
        coded = f", entries as {self.wrapped}-bit patterns" if self.wrapped else ""
        return f"{self.rows}x{self.columns} {order[self.index]}{coded}"


def read_by_evidence(
    entries: Sequence[NDArray[np.generic]],
    name: str,
    *,
    width: tuple[int, int] | None = None,
    signed: bool | None = None,
    index: Sequence[Index] = INDICES,
) -> Reading:
    """The reading of `entries` that is plainly nearest to multiplication.

    entries: every array the file's bytes can be (usually one), flat or rows by columns. width: bits of (first index, second index)
    when known; signed likewise; index: the orders that can be. name: shown in messages.
    FormatError when no reading comes near, or two do: then the message says what to state.
    """
    found = [r for i, array in enumerate(entries) for r in _readings(array, i, name, width=width, signed=signed, index=index)]
    readings = sorted(found, key=lambda r: r.score)
    if not readings:
        raise FormatError(
            f"{name} must be readable as asked, but its {entries[0].size} entries do not fit those widths and that index order"
        )
    best = readings[0]
    told = width is not None and signed is not None and (len(index) == 1 or not signed)
    if best.score > ADMISSIBLE and not told:
        raise FormatError(
            f"{name} must resemble a multiplier, but read as {best} its mean error is {best.score:.0%} of the mean product; "
            "state width, sign and index order to import it all the same"
        )
    rivals = [r for r in readings[1:] if not np.array_equal(r.lut, best.lut) or r.signed != best.signed]
    if rivals and best.score > MARGIN * rivals[0].score:
        raise FormatError(
            f"{name} must be readable in one way, but it could be {best} (mean error {best.score:.1%} of the mean product) "
            f"or {rivals[0]} ({rivals[0].score:.1%}); state width, sign and index order"
        )
    return best


def _readings(
    entries: NDArray[np.generic], source: int, name: str, *, width: tuple[int, int] | None, signed: bool | None, index: Sequence[Index]
) -> Iterator[Reading]:
    for rows, columns in _shapes(entries, name, width):
        grid = entries.reshape(1 << rows, 1 << columns).astype(np.int64)
        for order in index:
            if signed is not None and signed != (order != "unsigned"):
                continue
            for wrapped in (None, *_wraps(grid, rows + columns)):
                if wrapped is not None and order == "unsigned":
                    continue
                yield _reading(grid, source, rows, columns, order, wrapped)


def _reading(grid: NDArray[np.int64], source: int, rows: int, columns: int, index: Index, wrapped: int | None) -> Reading:
    lut = grid if wrapped is None else np.where(grid >> (wrapped - 1) == 1, grid - (1 << wrapped), grid)
    if index == "numeric":  # row 0 is the most negative value, whose bit pattern is 2**(w-1)
        lut = np.roll(lut, (lut.shape[0] // 2, lut.shape[1] // 2), axis=(0, 1))
    exact = np.multiply.outer(_values(rows, index), _values(columns, index))
    score = float(np.abs(lut - exact).mean() / np.abs(exact).mean())
    return Reading(rows=rows, columns=columns, index=index, wrapped=wrapped, lut=lut, score=score, source=source)


def _values(bits: int, index: Index) -> NDArray[np.int64]:
    patterns = np.arange(1 << bits, dtype=np.int64)
    return patterns if index == "unsigned" else np.where(patterns >> (bits - 1) == 1, patterns - (1 << bits), patterns)


def _wraps(grid: NDArray[np.int64], product_bits: int) -> tuple[int, ...]:
    """Widths of bit patterns the entries may be: the product's own, when none is negative and one would be."""
    low, high = int(grid.min()), int(grid.max())
    wide = [bits for bits in sorted({product_bits, 16, 32}) if bits >= product_bits and (1 << (bits - 1)) <= high < (1 << bits)]
    return tuple(wide[:1]) if low >= 0 else ()


def _shapes(entries: NDArray[np.generic], name: str, width: tuple[int, int] | None) -> list[tuple[int, int]]:
    bits = entries.size.bit_length() - 1
    if entries.size != 1 << bits or not 2 * MIN_WIDTH <= bits <= MAX_TABLE_BITS:
        raise FormatError(f"{name} must hold 2**(wa+wb) entries, wa+wb in {2 * MIN_WIDTH}..{MAX_TABLE_BITS}, but it holds {entries.size}")
    if entries.ndim == 2:
        rows = entries.shape[0].bit_length() - 1
        found = [(rows, bits - rows)]
    else:
        found = [(rows, bits - rows) for rows in range(MIN_WIDTH, bits - MIN_WIDTH + 1)]
    found = [(r, c) for r, c in found if MIN_WIDTH <= r <= MAX_WIDTH and MIN_WIDTH <= c <= MAX_WIDTH]
    return found if width is None else [shape for shape in found if shape == width]
