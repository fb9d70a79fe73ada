"""Gate counts and depths of straightforward realisations: arrays, shifters and detectors are counted here and nowhere else."""

from __future__ import annotations

import functools
import heapq
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Circuit, Op


@functools.cache
def gate_costs() -> dict[str, dict[str, Any]]:
    """The tables of `gate_costs.toml`."""
    return tomllib.loads(files("inexact.units").joinpath("gate_costs.toml").read_text(encoding="utf-8"))


def _delay(name: str) -> int:
    value: int = gate_costs()["unit_delay"][name]
    return value


@dataclass(frozen=True, kw_only=True)
class GateCount:
    """Numbers of two-input gates, inverters, multiplexers, half and full adders of a circuit, and its depth.

    levels: gate delays on the longest path. `a + b`: side by side (the deeper counts); `a.then(b)`: b behind a (depths add).
    """

    and2: int = 0
    nand2: int = 0
    or2: int = 0
    xor2: int = 0
    xnor2: int = 0
    inv: int = 0
    mux2: int = 0
    half_adder: int = 0
    full_adder: int = 0
    levels: int = field(default=0)

    def __add__(self, other: GateCount) -> GateCount:
        return self._joined(other, max(self.levels, other.levels))

    def then(self, other: GateCount) -> GateCount:
        """Both circuits in series."""
        return self._joined(other, self.levels + other.levels)

    def _joined(self, other: GateCount, levels: int) -> GateCount:
        counts = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "levels"}
        return GateCount(**counts, levels=levels)

    def counts(self) -> dict[str, int]:
        """Counts by gate, without the zeros and without `levels`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "levels" and getattr(self, f.name)}


def total(parts: Iterable[GateCount]) -> GateCount:
    """Several circuits side by side."""
    return functools.reduce(GateCount.__add__, parts, GateCount())


def reduce_columns(heights: Sequence[int], constant: int = 0) -> GateCount:
    """Adders that sum columns of `heights[c]` bits of weight 2**c, plus a constant, into one number of `len(heights)` bits.

    Column by column from the least significant, n bits (with the carries from below) become one by (n-1)//2 full and (n-1)%2
    half adders, the earliest bits first: carry-save with a ripple at the end; for an n x n multiplier the textbook n(n-2) FA and
    n HA. An adder with a constant 1 at one input shrinks: HA to an inverter, FA to XNOR and OR. No carry out of the top is built.
    """
    counts = dict.fromkeys(("full_adder", "half_adder", "xor2", "xnor2", "or2", "inv"), 0)
    carries: list[int] = []
    levels = 0
    for column, height in enumerate(heights):
        arrivals = [0] * height + carries
        heapq.heapify(arrivals)
        carries = []
        last = column == len(heights) - 1
        if (constant >> column) & 1 and arrivals:
            _add_one(arrivals, carries, counts, last)
        while len(arrivals) > 1:
            _add_bits(arrivals, carries, counts, last)
        levels = max([levels, *arrivals])
    return GateCount(**counts, levels=levels)


def _add_one(arrivals: list[int], carries: list[int], counts: dict[str, int], last: bool) -> None:
    """Fold a constant 1 into a column: with an even number of bits one adder has it as third input, else an inverter suffices."""
    if last or len(arrivals) % 2:
        counts["inv"] += 1
        if not last:
            # x + 1 = 2x + not x
            carries.append(arrivals[0])
        return
    heapq.heappop(arrivals)
    late = heapq.heappop(arrivals)
    counts["xnor2"] += 1
    counts["or2"] += 1
    heapq.heappush(arrivals, late + _delay("xor2"))
    carries.append(late + _delay("gate"))


def _add_bits(arrivals: list[int], carries: list[int], counts: dict[str, int], last: bool) -> None:
    """One adder on the earliest bits of a column."""
    if last:
        late = max(heapq.heappop(arrivals), heapq.heappop(arrivals))
        counts["xor2"] += 1
        heapq.heappush(arrivals, late + _delay("xor2"))
        return
    kind = "full_adder" if len(arrivals) > 2 else "half_adder"
    late = max(heapq.heappop(arrivals) for _ in range(3 if kind == "full_adder" else 2))
    counts[kind] += 1
    heapq.heappush(arrivals, late + _delay(f"{kind}_sum"))
    carries.append(late + _delay(f"{kind}_carry"))


def array_gates(kept: NDArray[np.bool_], *, signed: bool = False, constant: int = 0, raised: int = 0) -> GateCount:
    """Array multiplier with the partial-product cells `kept[i, j]` (bit i of a, bit j of b), plus an added constant.

    raised: further cells added in the lowest kept column.
    signed: modified Baugh-Wooley: cells with exactly one sign bit become NAND and constant ones are added.
    Columns below the first kept cell cost nothing. Exact, trunc, bam, perforation and operand truncation are counted by this.
    """
    wa, wb = kept.shape
    columns = np.add.outer(np.arange(wa), np.arange(wb))
    heights = np.bincount(columns[kept], minlength=wa + wb).tolist()
    inverted = np.zeros_like(kept)
    if signed:
        inverted[-1, :-1], inverted[:-1, -1] = kept[-1, :-1], kept[:-1, -1]
        # a cell of negative weight is -x = (not x) - 1: its inverse is summed, and the ones are taken back by a constant
        constant -= sum(1 << int(c) for c in columns[inverted])
    constant %= 1 << (wa + wb)
    lowest = next((c for c, h in enumerate(heights) if h), wa + wb)
    if raised:
        heights[lowest] += raised
    nands = int(inverted.sum())
    cells = GateCount(and2=int(kept.sum()) - nands + raised, nand2=nands, levels=_delay("gate") if kept.any() else 0)
    return cells.then(reduce_columns(heights[lowest:], constant >> lowest))


def ripple_adder(bits: int) -> GateCount:
    """Sum of two numbers of `bits` bits, carry out built: one HA and bits-1 FA."""
    if bits <= 0:
        return GateCount()
    depth = _delay("half_adder_carry") + _delay("carry_to_carry") * (bits - 1) if bits > 1 else _delay("half_adder_sum")
    return GateCount(half_adder=1, full_adder=bits - 1, levels=depth)


def subtractor(bits: int) -> GateCount:
    """Difference of two numbers of `bits` bits: inverters and FA with a carry in of 1."""
    return GateCount(full_adder=bits, inv=bits, levels=_delay("carry_to_carry") * bits)


def or_tree(inputs: int) -> GateCount:
    """OR of several bits."""
    return GateCount(or2=max(inputs - 1, 0), levels=max(inputs - 1, 0).bit_length() * _delay("gate"))


def leading_one(bits: int) -> GateCount:
    """One-hot position of the highest 1 of a `bits`-bit number: a ladder of prefix ORs, one AND and inverter per lower bit."""
    if bits < 2:
        return GateCount()
    return GateCount(or2=bits - 2, inv=bits - 1, and2=bits - 1, levels=(bits - 1) * _delay("gate"))


def encoder(lines: int) -> GateCount:
    """Binary number of the active one of `lines` one-hot lines: one OR tree per bit."""
    bits = max(lines - 1, 0).bit_length()
    return total(or_tree(sum((line >> bit) & 1 for line in range(lines))) for bit in range(bits))


def one_hot_select(bits: int, choices: int) -> GateCount:
    """One of `choices` words of `bits` bits by one-hot lines: AND-OR."""
    if choices < 2:
        return GateCount()
    depth = 1 + (choices - 1).bit_length()
    return GateCount(and2=choices * bits, or2=(choices - 1) * bits, levels=depth * _delay("gate"))


def barrel_shifter(bits: int, max_shift: int, *, keep: int | None = None) -> GateCount:
    """Left shift of a `bits`-bit number by 0..max_shift (binary amount), zeros shifted in; `keep` bounds the output bits.

    One stage per bit of the amount; a position with one possible source needs an AND only.
    """
    gates, current, reach = GateCount(), bits, 0
    for stage in range(max_shift.bit_length()):
        step = min(1 << stage, max_shift - reach)
        reach += step
        out = min(current + step, keep) if keep is not None else current + step
        gates = gates.then(fixed_shift(current, step, keep=out))
        current = out
    return gates


def fixed_shift(bits: int, step: int, *, keep: int | None = None) -> GateCount:
    """Left shift of a `bits`-bit number by 0 or `step`: a multiplexer where two sources meet, else an AND."""
    out = bits + step if keep is None else keep
    both = max(min(bits, out) - step, 0)
    return GateCount(mux2=both, and2=out - both, inv=1, levels=_delay("mux2"))


def leading_segment(bits: int, segment: int) -> GateCount:
    """`segment` bits from the leading one of a `bits`-bit number, and the binary amount they were shifted by."""
    places = bits - segment + 1
    if places <= 1:
        return GateCount()
    # only the upper `places` bits can lead a shifted segment
    return leading_one(places).then(encoder(places) + one_hot_select(segment, places))


def segment_multiplier(width: tuple[int, int], segment: int) -> GateCount:
    """Two leading segments, an exact array for them, and a shifter by both amounts (the core of DRUM and DSM)."""
    segments = [min(bits, segment) for bits in width]
    shifts = [bits - kept for bits, kept in zip(width, segments, strict=True)]
    front = total(leading_segment(bits, kept) for bits, kept in zip(width, segments, strict=True))
    amounts = ripple_adder(max(shifts).bit_length()) if all(shifts) else GateCount()
    product = array_gates(np.ones(segments, dtype=bool)) + amounts
    return front.then(product).then(barrel_shifter(sum(segments), sum(shifts)))


def constant_lookup(values: Sequence[int], bits: int) -> GateCount:
    """A table of 2**k constants of `bits` bits: multiplexers, equal subtrees shared; constant inputs make them AND, OR, inverter or wire.

    One shared decision diagram per output bit; the index's lowest bit decides next to the constants.
    """
    counts = dict.fromkeys(("mux2", "and2", "or2", "inv"), 0)
    depth = max(len(values) - 1, 0).bit_length()
    for bit in range(bits):
        row: list[object] = [(value >> bit) & 1 for value in values]
        for level in range(depth):
            pairs = list(zip(row[::2], row[1::2], strict=True))
            for low, high in {pair for pair in pairs if pair[0] != pair[1]}:
                for gate in _selected(low, high):
                    counts[gate] += 1
            row = [low if low == high else (level, low, high) for low, high in pairs]
    return GateCount(**counts, levels=depth * _delay("mux2"))


def _selected(low: object, high: object) -> tuple[str, ...]:
    """Gates that give `low` or `high` by a line; 0 and 1 are constants."""
    if (low, high) in ((0, 1), (1, 0)):
        return () if high == 1 else ("inv",)
    if 0 in (low, high):
        return ("and2",) if low == 0 else ("and2", "inv")
    if 1 in (low, high):
        return ("or2",) if high == 1 else ("or2", "inv")
    return ("mux2",)


_COUNTED = {
    Op.NOT: "inv",
    Op.AND: "and2",
    Op.OR: "or2",
    Op.XOR: "xor2",
    Op.NAND: "nand2",
    Op.NOR: "or2",  # as large as an OR in the library the weights come from
    Op.XNOR: "xnor2",
    Op.MUX: "mux2",
    Op.HALF: "half_adder",
    Op.FULL: "full_adder",
}


def counted(circuit: Circuit) -> GateCount:
    """Cells of a netlist by kind, and the longest path in gate delays."""
    delays = gate_costs()["unit_delay"]
    counts = dict.fromkeys(_COUNTED.values(), 0)
    arrival = [0] * circuit.wires
    for op, sources, out in circuit.gates():
        name = _COUNTED[op]
        counts[name] += 1
        ready = max(arrival[wire] for wire in sources)
        if op in (Op.HALF, Op.FULL):
            arrival[out], arrival[out + 1] = ready + delays[f"{name}_sum"], ready + delays[f"{name}_carry"]
        else:
            arrival[out] = ready + {"xor2": delays["xor2"], "xnor2": delays["xor2"], "mux2": delays["mux2"], "inv": 0}.get(
                name, delays["gate"]
            )
    return GateCount(**counts, levels=max((arrival[wire] for wire in circuit.output_wires.tolist()), default=0))
