"""Predicted times of the compiled engines: what a layer's shape and the number of threads cost each of them.

The constants were measured on an AMD EPYC (Zen 4), an idle core or two; only their ratios matter, so they serve other processors of the
same instruction set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from inexact.core.errors import FormatError

MOST_ROWS = 14  # outputs of one block of the lowrank kernels
MOST_PLACES = 8192  # positions of one task of stacked rows
CODES = 256  # rows stacked for each tap and block of outputs
ENOUGH = 2**18  # products that make one more thread worth while
SHARED = 0.7  # n threads read and write memory n**0.7 times as fast as one
NS_PER_STEP = {"avx512": 0.28, "scalar": 20.0}  # 16 positions x 1 row x 4 channels
NS_PER_GATHER = {"avx512": 0.7, "scalar": 60.0}  # 16 positions x 3 taps of a depthwise filter
NS_PER_INTERLEAVED = {"avx512": 0.1, "scalar": 1.5}  # one activation byte of one term, mapped and interleaved
NS_PER_WEIGHT = {"avx512": 0.2, "scalar": 1.0}  # one weight byte of one term
NS_PER_TRANSPOSED = 0.3  # one weight, where the activations are fixed
NS_PER_PACKED = 0.2  # one activation on its padded plane
NS_PER_SUM = 0.6  # one output, put down


@final
@dataclass(frozen=True, kw_only=True)
class TableCost:
    """Times of the table engine in ns. lookup: one product, one operand fixed. lanes: outputs of one stacked row. row: one, added.

    built: one stacked row, built.
    """

    lookup: float
    lanes: int
    row: float
    built: float


WORDS = {
    "avx512": TableCost(lookup=0.047, lanes=32, row=0.76, built=1.2),
    "avx2": TableCost(lookup=0.33, lanes=32, row=1.15, built=2.3),
    "scalar": TableCost(lookup=0.33, lanes=16, row=1.5, built=4.6),
}
"""Of any table, by path."""

BYTES = {**WORDS, "avx512": TableCost(lookup=0.025, lanes=64, row=0.87, built=1.0)}
"""Of a table whose products with one weight span less than 256."""


@final
@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a cost depends on. positions: outputs of one channel; outputs, inputs: channels of one group; taps: of the kernel.

    matrix: a product of two matrices, whose operands may change places.
    """

    positions: int
    outputs: int
    inputs: int
    taps: int = 1
    groups: int = 1
    matrix: bool = False

    @classmethod
    def product(cls, m: int, n: int, k: int) -> Self:
        """A matrix product [M, K] x [N, K]."""
        return cls(positions=m, outputs=n, inputs=k, matrix=True)

    @classmethod
    def convolution(cls, out: Sequence[int], w: Sequence[int], groups: int) -> Self:
        """From the shapes of the result [N, O, H', W'] and of the weights [O, C/groups, kh, kw]."""
        return cls(positions=out[0] * out[2] * out[3], outputs=w[0] // groups, inputs=w[1], taps=w[2] * w[3], groups=groups)

    @classmethod
    def of(cls, shape: Sequence[int] | None) -> Self:
        """From what a caller of `engine_for` writes; FormatError for another number of sizes."""
        if shape is None:
            return cls(positions=4096, outputs=64, inputs=64, taps=9)
        if min(shape, default=0) < 1 or len(shape) not in (3, 4, 7, 8):
            raise FormatError(
                "a layer's shape must be (M, N, K), (N, C, H, W), or (N, C, H', W', O, kh, kw) with or without groups, all positive, "
                f"not {tuple(shape)}"
            )
        if len(shape) == 3:
            return cls.product(*shape)
        batch, channels, height, width, outputs, rows, columns, groups = (*shape, *(shape[1], 3, 3, 1)[len(shape) - 4 :])
        return cls.convolution((batch, outputs, height, width), (outputs, channels // groups, rows, columns), groups)

    @property
    def products(self) -> int:
        """Products of the layer."""
        return self.positions * self.outputs * self.inputs * self.taps * self.groups

    @property
    def sums(self) -> int:
        """Outputs of the layer."""
        return self.positions * self.outputs * self.groups

    @property
    def window(self) -> int:
        """Products of one output."""
        return self.inputs * self.taps

    @property
    def weights(self) -> int:
        """Weights of the layer."""
        return self.outputs * self.window * self.groups


@final
@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a layer runs on. isa: path of the table engine; products: path of the lowrank engine; threads: asked for."""

    isa: str
    products: str
    threads: int

    def used(self, layer: Layer) -> int:
        """Threads that the engines put to work on `layer`."""
        return max(1, min(self.threads, layer.products // ENOUGH))

    def table_ns(self, layer: Layer, *, narrow: bool) -> float:
        """Of the table engine; narrow: the products with one weight span less than 256."""
        words = WORDS[self.isa]
        cost = BYTES[self.isa] if narrow and layer.outputs > words.lanes else words
        fixed = BYTES[self.isa] if narrow else words
        return self._summed(layer, cost, fixed.lookup) + self._moved(layer)

    def lowrank_ns(self, layer: Layer, terms: int) -> float:
        """Of the lowrank engine with so many byte products."""
        if layer.inputs == 1 and layer.groups > 1:
            gathers = -(-layer.positions // 16) * layer.groups * layer.outputs * -(-layer.taps // 3)
            return terms * gathers * NS_PER_GATHER[self.products] / self.used(layer) + self._moved(layer)
        blocks = -(-layer.outputs // MOST_ROWS)
        # a block of fewer than 3 rows waits for its own sums; loads of the stream cost about one row
        return self._multiplied(layer, terms, blocks * max(layer.outputs / blocks + 1, 3.0)) + self._moved(layer)

    def split_ns(self, layer: Layer, terms: int) -> float:
        """Of the split engine, whose exact product takes so many byte products: vectors always run along the outputs."""
        cost = BYTES[self.isa] if layer.outputs > WORDS[self.isa].lanes else WORDS[self.isa]
        lanes = -(-layer.outputs // cost.lanes) * cost.lanes
        few = 0.0 if layer.matrix else BYTES[self.isa].lookup * lanes / layer.outputs
        return self._summed(layer, cost, few or float("inf")) + self._multiplied(layer, terms, lanes) + self._moved(layer)

    def _summed(self, layer: Layer, cost: TableCost, lookup: float) -> float:
        """By the cheapest scheme; lookup: of one product with an operand fixed."""
        fixed = (layer.products * lookup + layer.weights * NS_PER_TRANSPOSED) / self.used(layer)
        stacked = layer.groups * self._stacked(layer, cost, layer.positions, layer.outputs)
        turned = self._stacked(layer, cost, layer.outputs, layer.positions) if layer.matrix else stacked
        return min(fixed, stacked, turned)

    def _stacked(self, layer: Layer, cost: TableCost, places: int, outputs: int) -> float:
        """Places of every block of outputs are divided among threads, which build the rows again."""
        blocks, threads, least = -(-outputs // cost.lanes), self.used(layer), -(-places // MOST_PLACES)
        parts = range(least, max(least + 1, min(least + 2 * threads, places + 1)))
        return min(-(-blocks * n // threads) * layer.window * (places / n * cost.row + CODES * cost.built) for n in parts)

    def _multiplied(self, layer: Layer, terms: int, rows: float) -> float:
        """Byte products of panels of `rows` rows."""
        steps = -(-layer.positions // 16) * rows * -(-layer.inputs // 4) * layer.taps * layer.groups * NS_PER_STEP[self.products]
        packed = layer.positions * -(-layer.inputs // 4) * 4 * layer.groups * NS_PER_INTERLEAVED[self.products]
        return terms * (steps + packed + layer.weights * NS_PER_WEIGHT[self.products]) / self.used(layer)

    def _moved(self, layer: Layer) -> float:
        """Activations read and outputs written: threads share the memory."""
        moved = layer.positions * layer.inputs * layer.groups * NS_PER_PACKED + layer.sums * NS_PER_SUM
        return float(moved / self.used(layer) ** SHARED)
