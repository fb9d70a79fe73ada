"""Gate counts of straightforward realisations: the one place where arrays, shifters and detectors are counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class GateCount:
    """Numbers of two-input gates, inverters, multiplexers, half adders (HA) and full adders (FA) of a circuit."""

    and2: int = 0
    nand2: int = 0
    or2: int = 0
    xor2: int = 0
    xnor2: int = 0
    inv: int = 0
    mux2: int = 0
    half_adder: int = 0
    full_adder: int = 0

    def __add__(self, other: GateCount) -> GateCount:
        return GateCount(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def __mul__(self, times: int) -> GateCount:
        return GateCount(**{f.name: getattr(self, f.name) * times for f in fields(self)})

    def to_json(self) -> dict[str, int]:
        """Counts by gate, without the zeros."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}


def total(parts: Iterable[GateCount]) -> GateCount:
    """Sum of several counts."""
    result = GateCount()
    for part in parts:
        result = result + part
    return result


def reduce_columns(heights: Sequence[int], constant: int = 0) -> GateCount:
    """Adders that sum columns of `heights[c]` bits of weight 2**c, plus a constant, into one number of `len(heights)` bits.

    Column by column from the least significant, n bits (with the carries from below) become one with (n-1)//2 full and (n-1)%2
    half adders: the carry-save array with a ripple row; for an n x n multiplier the textbook n(n-2) FA and n HA.
    An adder with a constant 1 at one input shrinks: HA to an inverter, FA to XNOR and OR. The carry out of the top is not built.
    """
    gates, carries, carry_constant = GateCount(), 0, 0
    for column, height in enumerate(heights):
        ones = ((constant >> column) & 1) + carry_constant
        carry_constant, ones = ones // 2, ones % 2
        bits = height + carries
        last = column == len(heights) - 1
        part, carries = _column(bits, ones, last)
        gates = gates + part
    return gates


def _column(bits: int, one: int, last: bool) -> tuple[GateCount, int]:
    """Gates and carries out of one column of `bits` variables and `one` constant 1; in the last column carries are not built."""
    if bits == 0:
        return GateCount(), 0
    if last:
        return GateCount(xor2=bits - 1, inv=one), 0
    full, half = (bits + one - 1) // 2, (bits + one - 1) % 2
    if not one:
        return GateCount(full_adder=full, half_adder=half), full + half
    if half:
        return GateCount(full_adder=full, inv=1), full + 1
    return GateCount(full_adder=full - 1, xnor2=1, or2=1), full


def array_gates(kept: NDArray[np.bool_], *, signed: bool = False, constant: int = 0) -> GateCount:
    """Array multiplier with the partial-product cells `kept[i, j]` (bit i of a, bit j of b), plus an added constant.

    signed: modified Baugh-Wooley: cells with exactly one sign bit become NAND and constant ones are added.
    Columns without any cell cost nothing; used by exact, trunc, bam, perforation and operand truncation alike.
    """
    wa, wb = kept.shape
    columns = np.add.outer(np.arange(wa), np.arange(wb))
    heights = np.bincount(columns[kept], minlength=wa + wb).tolist()
    cells, inverted = int(kept.sum()), 0
    if signed:
        inverted = int(kept[-1, :-1].sum() + kept[:-1, -1].sum())
        constant += sum(1 << c for c in (wa - 1, wb - 1, wa + wb - 1))
    constant %= 1 << (wa + wb)
    lowest = next((c for c, h in enumerate(heights) if h), wa + wb)
    ripple = reduce_columns(heights[lowest:], constant >> lowest)
    return GateCount(and2=cells - inverted, nand2=inverted) + ripple


def ripple_adder(bits: int) -> GateCount:
    """Sum of two numbers of `bits` bits, carry out built: one HA and bits-1 FA."""
    return GateCount(half_adder=1, full_adder=bits - 1) if bits > 0 else GateCount()


def leading_one(bits: int) -> GateCount:
    """One-hot position of the highest 1 of a `bits`-bit number: a ladder of prefix ORs, one AND and inverter per lower bit."""
    return GateCount(or2=max(bits - 2, 0), inv=bits - 1, and2=bits - 1)


def encoder(lines: int) -> GateCount:
    """Binary number of the active one of `lines` one-hot lines: OR trees."""
    inputs = [sum((line >> bit) & 1 for line in range(lines)) for bit in range(max(lines - 1, 0).bit_length())]
    return GateCount(or2=sum(max(n - 1, 0) for n in inputs))


def one_hot_select(bits: int, choices: int) -> GateCount:
    """One of `choices` words of `bits` bits by one-hot lines: AND-OR."""
    return GateCount(and2=choices * bits, or2=(choices - 1) * bits) if choices > 1 else GateCount()


def barrel_shifter(bits: int, max_shift: int, *, keep: int | None = None) -> GateCount:
    """Left shift of a `bits`-bit number by 0..max_shift (binary amount), zeros shifted in.

    One stage per bit of the amount; a position with one possible source needs an AND only. `keep` bounds the output bits.
    """
    gates, current, reach = GateCount(), bits, 0
    for stage in range(max_shift.bit_length()):
        step = min(1 << stage, max_shift - reach)
        reach += step
        out = min(current + step, keep) if keep is not None else current + step
        both = max(min(current, out) - step, 0)
        gates = gates + GateCount(mux2=both, and2=out - both, inv=1)
        current = out
    return gates
