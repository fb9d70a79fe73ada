"""What registers take from a mapped netlist whose clock comes before everything has settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits._program import threads
from inexact.circuits.synthesis._mapped import Mapped, compiled_core
from inexact.circuits.synthesis._measure import Bits, Surroundings, event_delays
from inexact.core.errors import SynthesisError

WIDEST = 64
"""Bits of a result that a register may take."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Sampled:
    """Results of pairs of operands at clock edges, as bit patterns.

    words: uint64 [pairs, edges], what registers hold. right: uint64 [pairs], what they should. latest: ns [pairs, output bits], the last
    change of every output bit after the operands changed, 0 for none; empty [0, output bits] unless asked for.
    """

    words: NDArray[np.uint64]
    right: NDArray[np.uint64]
    latest: NDArray[np.float64]


@final
class Sampler:
    """Event-driven simulation of one netlist, pair after pair of operands, each from the settled state of its first.

    Delays are those of the netlist's own static timing (one a pin and edge), all inputs change at time 0. A change at the edge itself is
    taken. Raises SynthesisError for results of more than 64 bits.
    """

    def __init__(self, mapped: Mapped, around: Surroundings) -> None:
        if len(mapped.output_nets) > WIDEST:
            raise SynthesisError(f"a sampled result must have at most {WIDEST} bits, but {mapped.name} has {len(mapped.output_nets)}")
        self.mapped = mapped
        self._delays, self.tick = event_delays(mapped, around)
        self._nets = np.array(mapped.output_nets, np.int32)
        self._places = np.uint64(1) << np.arange(len(mapped.output_nets), dtype=np.uint64)

    def sample(self, before: Bits, after: Bits, edges: ArrayLike = (), *, latest: bool = False) -> Sampled:
        """Results of pairs, input bits `[pairs, bits]` each. edges: ns >= 0 after the operands change, in any order."""
        ticks = np.floor(np.asarray(edges, np.float64).reshape(-1) / self.tick + 1e-9).astype(np.int64)
        order = np.argsort(ticks, kind="stable")
        before, after = np.ascontiguousarray(before), np.ascontiguousarray(after)
        words = np.zeros((len(before), len(ticks)), np.uint64)
        last = np.zeros((len(before) if latest else 0, len(self._nets)), np.int32)
        compiled_core().silicon_sampled(self.mapped.compiled, self._delays, before, after, self._nets, ticks[order], words, last, threads())
        found = np.empty_like(words)
        found[:, order] = words
        right = self.mapped.values(after).astype(np.uint64) @ self._places
        return Sampled(words=found, right=right, latest=last.astype(np.float64) * self.tick)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class LateSums:
    """sums: int64 [images, channels, steps], the error of every sum. late, dropped: products."""

    sums: NDArray[np.int64]
    late: int
    dropped: int


def late_sums(
    a: NDArray[np.uint8],
    rows: NDArray[np.int32],
    late: NDArray[np.bool_],
    errors: NDArray[np.int32],
    products: NDArray[np.int32],
    array_rows: int,
    *,
    drop: bool,
) -> LateSums:
    """Errors of sums of a weight-stationary array whose registers take some products too early.

    a: patterns [images, groups, window, steps + 1], the first step is what stood there before. rows: which table the weight uses
    [channels, window]. late, errors: [tables, codes * codes], by pattern before and after; products: right ones, [tables, codes].
    drop: a late product is corrected, that of the next row left out; the last of `array_rows` rows has none after it.
    """
    tables, transitions = late.shape
    padded = np.zeros((tables, -(-transitions // 64) * 64), np.bool_)
    padded[:, :transitions] = late
    words = np.packbits(padded, axis=1, bitorder="little").view(np.uint64)
    sums = np.empty((a.shape[0], rows.shape[0], a.shape[3] - 1), np.int64)
    found = compiled_core().silicon_late_sums(
        np.ascontiguousarray(a), np.ascontiguousarray(rows), words, errors, products, array_rows, drop, sums, threads()
    )
    return LateSums(sums=sums, late=found[0], dropped=found[1])
