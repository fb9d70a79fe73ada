"""Loop nests: how often each tensor crosses between the levels of a memory hierarchy, counted exactly and in closed form.

A mapping is a list of loops from the outermost to the innermost; each belongs to a level (the storage it stands above) and is temporal or
spatial. A tile of a tensor stays at a level while loops that do not touch the tensor run directly above it; every other loop above brings
it again. Trips may be arrays: a whole search is then one evaluation.

Reference: Parashar et al., Timeloop, ISPASS 2019, doi:10.1109/ISPASS.2019.00042
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Number = Any
"""An int, or an array of ints that stands for as many mappings; arrays of one call broadcast."""

TENSORS = ("inputs", "weights", "outputs")
CONVOLUTION = {
    "N": "batch",
    "M": "output channels",
    "C": "input channels",
    "P": "output rows",
    "Q": "output columns",
    "R": "kernel rows",
    "S": "kernel columns",
}
"""The loops of a convolution, in the field's letters."""

_TOUCHES = {"inputs": frozenset("NCPQRS"), "weights": frozenset("MCRS"), "outputs": frozenset("NMPQ")}


@dataclass(frozen=True, slots=True)
class Loop:
    """`trips` steps over `dim` (a letter of `CONVOLUTION`), directly above the storage `level`: 0 = innermost, -1 = the arithmetic.

    spatial: over instances of what lies below, not over time.
    """

    dim: str
    trips: Number
    level: int
    spatial: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Convolution:
    """How the window steps over rows and columns; the loops' trips say how far."""

    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """Traffic of one tensor between a storage and the next one outwards, in elements, over all instances of the inner storage.

    parent_reads: taken from the outer storage (one read feeds all instances that want the same). fills: written into the inner one.
    updates: results handed to the outer storage, sums over instances formed on the way (outputs only). refills: partial sums among
    `parent_reads` and `fills`.
    """

    parent_reads: Number = 0
    fills: Number = 0
    updates: Number = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """Which levels hold a tensor, from the innermost outwards; the outermost is the DRAM."""

    inputs: Sequence[int]
    weights: Sequence[int]
    outputs: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a mapping moves. crossings: tensor -> (inner level, outer level) -> traffic; the inner level -1 is the arithmetic.

    steps: cycles of the temporal loops. instances: of the arithmetic.
    """

    crossings: Mapping[str, Mapping[tuple[int, int], Crossing]]
    steps: Number
    instances: Number


def count(problem: Convolution, loops: Sequence[Loop], kept: Kept, *, halo: bool = True) -> Counts:
    """Count the traffic of one mapping (or of as many as the trips are arrays of).

    halo: when the innermost loop that moves an input window forward comes directly above its tile, only the new part is fetched.
    """
    nest = _Nest(problem, tuple(loops), halo)
    crossings: dict[str, dict[tuple[int, int], Crossing]] = {}
    for tensor in TENSORS:
        levels = list(getattr(kept, tensor))
        crossings[tensor] = {}
        for inner, outer in zip([-1, *levels[:-1]], levels, strict=True):
            crossings[tensor][inner, outer] = nest.outputs(inner, outer) if tensor == "outputs" else nest.operand(tensor, inner, outer)
    steps = _product(loop.trips for loop in loops if not loop.spatial)
    return Counts(crossings=crossings, steps=steps, instances=_product(loop.trips for loop in loops if loop.spatial))


@dataclass(frozen=True, slots=True)
class _Nest:
    problem: Convolution
    loops: tuple[Loop, ...]
    halo: bool

    def inside(self, level: int) -> tuple[Loop, ...]:
        """Loops that run within a tile of `level`."""
        return tuple(loop for loop in self.loops if loop.level < level)

    def tile(self, tensor: str, inside: tuple[Loop, ...]) -> Number:
        """Elements of the tile that these loops sweep."""
        return self.volume(tensor, {dim: _product(loop.trips for loop in inside if loop.dim == dim) for dim in CONVOLUTION})

    def volume(self, tensor: str, extent: Mapping[str, Number]) -> Number:
        if tensor == "weights":
            return extent["M"] * extent["C"] * extent["R"] * extent["S"]
        if tensor == "outputs":
            return extent["N"] * extent["M"] * extent["P"] * extent["Q"]
        return extent["N"] * extent["C"] * self.window(0, extent["P"], extent["R"]) * self.window(1, extent["Q"], extent["S"])

    def window(self, axis: int, outputs: Number, taps: Number) -> Number:
        """Input rows (or columns) under so many outputs and taps."""
        stride, dilation = self.problem.stride[axis], self.problem.dilation[axis]
        return (outputs - 1) * stride + (taps - 1) * dilation + 1

    def operand(self, tensor: str, inner: int, outer: int) -> Crossing:
        fetched = self._fetched(tensor, inner)
        between = [loop for loop in self.loops if loop.spatial and inner <= loop.level < outer]
        above = [loop for loop in self.loops if loop.spatial and loop.level >= outer]
        touched = _TOUCHES[tensor]
        distinct = _product(loop.trips for loop in between if loop.dim in touched)
        copies = _product(loop.trips for loop in between if loop.dim not in touched)
        parents = _product(loop.trips for loop in above)
        return Crossing(parent_reads=fetched * distinct * parents, fills=fetched * distinct * copies * parents)

    def _fetched(self, tensor: str, inner: int) -> Number:
        """Elements that enter one instance of the inner storage."""
        touched = _TOUCHES[tensor]
        inside = {dim: _product(loop.trips for loop in self.loops if loop.level < inner and loop.dim == dim) for dim in CONVOLUTION}
        whole = self.volume(tensor, inside)
        result, seen = whole, False
        reached = dict(inside)
        if inner < 0:  # arithmetic keeps nothing: every step takes its operands
            seen = True
        quiet: Number = True
        for loop in reversed([loop for loop in self.loops if loop.level >= inner]):
            if loop.spatial:
                reached[loop.dim] = reached[loop.dim] * loop.trips
                continue
            moving = np.greater(loop.trips, 1)
            if loop.dim in touched:
                step = loop.trips
                if self.halo and tensor == "inputs" and loop.dim in "PQ":
                    step = np.where(np.logical_not(seen) & quiet, self._slid(loop, inside, reached, whole), loop.trips)
                result = result * step
                seen = np.logical_or(seen, moving)
            else:
                result = result * np.where(seen, loop.trips, 1)
                quiet = np.logical_and(quiet, np.logical_or(seen, np.logical_not(moving)))
            reached[loop.dim] = reached[loop.dim] * loop.trips
        return result

    def _slid(self, loop: Loop, inside: Mapping[str, Number], reached: Mapping[str, Number], whole: Number) -> Number:
        """Tiles' worth of new elements when the window moves over this loop: the first tile, then what each step uncovers."""
        axis = 0 if loop.dim == "P" else 1
        width = self.window(axis, inside[loop.dim], inside["R" if axis == 0 else "S"])
        fresh = np.minimum(width, reached[loop.dim] * self.problem.stride[axis])
        return 1 + (loop.trips - 1) * fresh / width

    def outputs(self, inner: int, outer: int) -> Crossing:
        handed, first = self._drained(inner)
        between = [loop for loop in self.loops if loop.spatial and inner <= loop.level < outer]
        above = [loop for loop in self.loops if loop.spatial and loop.level >= outer]
        distinct = _product(loop.trips for loop in between if loop.dim in _TOUCHES["outputs"])
        summed = _product(loop.trips for loop in between if loop.dim not in _TOUCHES["outputs"])
        parents = _product(loop.trips for loop in above)
        return Crossing(
            updates=handed * distinct * parents,
            parent_reads=(handed - first) * distinct * parents,
            fills=(handed - first) * distinct * summed * parents,
        )

    def _drained(self, inner: int) -> tuple[Number, Number]:
        """Results one instance hands over, and how many of them are the first of their output."""
        touched = _TOUCHES["outputs"]
        handed = self.tile("outputs", self.inside(inner))
        first, seen = handed, inner < 0
        for loop in reversed([loop for loop in self.loops if loop.level >= inner and not loop.spatial]):
            if loop.dim in touched:
                handed, first = handed * loop.trips, first * loop.trips
                seen = np.logical_or(seen, np.greater(loop.trips, 1))
            else:
                handed = handed * np.where(seen, loop.trips, 1)
        return handed, first


def _product(factors: Any) -> Number:
    result: Number = 1
    for factor in factors:
        result = result * factor
    return result
