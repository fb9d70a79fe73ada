"""Circuits that take many cycles for a result: the logic of one cycle, and the registers' start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inexact.circuits._circuit import Bus, Circuit
from inexact.circuits._simulate import evaluate

Words = list[NDArray[np.uint64]]
"""Bit patterns, one array a bus."""


@final
@dataclass(frozen=True, kw_only=True)
class Serial:
    """A clocked circuit. step: inputs a, b (held while it runs), then registers; outputs what the registers hold next, in their order.

    start: of every register. cycles: of one result, which is what the last register takes in the last of them, without its `cut` lowest
    bits and `shift` places up. All words are unsigned.
    """

    step: Circuit
    start: tuple[int, ...]
    cycles: int
    cut: int = 0
    shift: int = 0

    @property
    def register_bits(self) -> int:
        """Flip-flops, those of the operands not counted."""
        return self.step.output_bits

    def states(self, a: ArrayLike, b: ArrayLike) -> Iterator[Words]:
        """Inputs of `step` in every cycle, flat: operands, then registers."""
        operands = [np.asarray(side, np.uint64).ravel() for side in (a, b)]
        registers = [np.full(operands[0].size, value, np.uint64) for value in self.start]
        for _ in range(self.cycles):
            yield [*operands, *registers]
            registers = self._next(operands, registers)

    def evaluate(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
        """Results for operands, after all cycles, in their common shape."""
        first, second = np.broadcast_arrays(np.asarray(a), np.asarray(b))
        *_, last = self.states(first, second)
        found = self._next(last[:2], last[2:])[-1].astype(np.int64)
        return np.asarray((found >> self.cut) << self.shift).reshape(first.shape)

    def _next(self, operands: Words, registers: Words) -> Words:
        word = evaluate(self.step, *operands, *registers).view(np.uint64)
        return [(word >> np.uint64(low)) & np.uint64((1 << bus.width) - 1) for low, bus in _placed(self.step.outputs)]


def _placed(buses: tuple[Bus, ...]) -> Iterator[tuple[int, Bus]]:
    low = 0
    for bus in buses:
        yield low, bus
        low += bus.width
