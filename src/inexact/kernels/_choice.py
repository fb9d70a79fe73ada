"""Which engine serves a call: the one asked for, or under "auto" the fastest by a cost model, among those proven for the table.

The model's constants were measured on one core of an AMD EPYC (Zen 4); only their ratios matter, so they serve other processors of the
same instruction set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import torch
from torch import Tensor

from inexact.core.errors import FormatError
from inexact.kernels import _dispatch, _lowrank
from inexact.kernels._check import checked_table

MOST_ROWS = 14  # outputs of one block of the lowrank kernels
NS_PER_STEP = {"avx512": 0.16, "scalar": 20.0}  # 16 positions x 1 row x 4 channels
NS_PER_PACKED = {"avx512": 0.12, "scalar": 1.5}  # one activation byte of one term, mapped and interleaved
NS_PER_WEIGHT = {"avx512": 0.2, "scalar": 1.0}  # one weight byte of one term
NS_PER_GATHER = {"avx512": 0.7, "scalar": 60.0}  # 16 positions x 3 taps of a depthwise filter
NS_PER_PLACED = {"avx512": 0.3, "scalar": 0.5}  # one position of a depthwise filter: plane packed, sums handed over
NS_PER_ADDED = {"avx512": 0.3, "avx2": 0.3, "scalar": 0.4}  # one sum of the lowrank engine put down, and what is added to it


@final
@dataclass(frozen=True, kw_only=True)
class TableCost:
    """Times of the table engine in ns. lookup: one product, one operand fixed. lanes: outputs of one stacked row. row: one, added.

    built: one stacked row, built; there are 256 for each tap and block of outputs.
    """

    lookup: float
    lanes: int
    row: float
    built: float


WORDS = {
    "avx512": TableCost(lookup=0.045, lanes=32, row=0.67, built=1.33),
    "avx2": TableCost(lookup=0.33, lanes=32, row=1.15, built=2.3),
    "scalar": TableCost(lookup=0.33, lanes=16, row=1.5, built=4.6),
}
"""Of any table, by path."""

BYTES = {**WORDS, "avx512": TableCost(lookup=0.025, lanes=64, row=0.74, built=1.1)}
"""Of a table whose products with one weight span less than 256."""


@final
@dataclass(frozen=True, kw_only=True)
class Layer:
    """What a cost depends on. positions: outputs of one channel; outputs, inputs: channels of one group; taps: of the kernel."""

    positions: int
    outputs: int
    inputs: int
    taps: int = 1
    groups: int = 1

    @classmethod
    def product(cls, m: int, n: int, k: int) -> Self:
        """A matrix product [M, K] x [N, K]."""
        return cls(positions=m, outputs=n, inputs=k)

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


@final
@dataclass(frozen=True, kw_only=True)
class Choice:
    """What "auto" takes, and why. rates: predicted G products a second and core, by engine; rank, terms: None without cheap factors.

    rank: of the table less a function of the weight. terms: 8-bit matrix products that replace the table.
    """

    engine: str
    rates: dict[str, float]
    rank: int | None
    terms: int | None

    @property
    def why(self) -> str:
        """One sentence."""
        ways = []
        if self.terms is not None:
            ways.append(f"{self.terms} 8-bit matrix product{'s' if self.terms != 1 else ''} (rank {self.rank}) give its sums exactly")
        if "split" in self.rates:
            ways.append("its error fits 8 bits beside one exact product")
        if not ways:
            return f"its rank is above {_lowrank.MOST_RANK}, too many matrix products to beat looking products up"
        if not self.rates:
            return ways[0]
        return f"{'; '.join(ways)}; predicted per core: " + ", ".join(
            f"{name} {rate:.0f} G products/s" for name, rate in self.rates.items()
        )


def resolve(engine: str, device: str, lut: Tensor, layer: Layer) -> str:
    """The engine that serves `engine` ("auto" or a name); errors as `_dispatch.require`."""
    if engine == "auto":
        return choose(lut, layer, device).engine
    _dispatch.require(engine, device)
    return engine


def check(engine: str, device: str) -> None:
    """Errors of `resolve` for a call that has nothing to compute."""
    if engine != "auto":
        _dispatch.require(engine, device)


def choose(lut: Tensor, layer: Layer, device: str = "cpu") -> Choice:
    """The fastest engine for a checked table and a layer, by the cost model."""
    return weigh(_lowrank.entry(lut), layer, device)


def weigh(known: _lowrank.Entry, layer: Layer, device: str = "cpu") -> Choice:
    """The same, from what is known of the table."""
    rank, terms = (None, None) if known.factors is None else (known.factors.rank, len(known.factors.terms))
    if _dispatch.core() is None or device != "cpu":
        return Choice(engine="torch" if terms is None else "lowrank", rates={}, rank=rank, terms=terms)
    rates = {"table": layer.products / _table_ns(layer, narrow=known.narrow)}
    if terms is not None:
        rates["lowrank"] = layer.products / _lowrank_ns(layer, terms)
    if known.split is not None:
        rates["split"] = layer.products / _split_ns(layer, len(known.split.product.terms))
    return Choice(engine=max(rates, key=lambda name: rates[name]), rates=rates, rank=rank, terms=terms)


def _lowrank_ns(layer: Layer, terms: int) -> float:
    path = _lowrank.path()
    if layer.inputs == 1 and layer.groups > 1:
        gathers = -(-layer.positions // 16) * layer.groups * layer.outputs * -(-layer.taps // 3)
        return terms * gathers * NS_PER_GATHER[path] + layer.positions * layer.groups * layer.outputs * NS_PER_PLACED[path]
    blocks = -(-layer.outputs // MOST_ROWS)
    # a block of fewer than 3 rows waits for its own sums; loads of the stream cost about one row
    rows = blocks * max(layer.outputs / blocks + 1, 3.0)
    steps = -(-layer.inputs // 4) * layer.taps * layer.groups
    multiply = -(-layer.positions // 16) * rows * steps * NS_PER_STEP[path]
    packed = layer.positions * -(-layer.inputs // 4) * 4 * layer.groups * NS_PER_PACKED[path]
    weights = layer.outputs * layer.inputs * layer.taps * layer.groups * NS_PER_WEIGHT[path]
    return terms * (multiply + packed + weights)


def _table_ns(layer: Layer, *, narrow: bool) -> float:
    words = WORDS[_dispatch.isa()]
    cost = BYTES[_dispatch.isa()] if narrow and layer.outputs > words.lanes else words
    rows = -(-layer.outputs // cost.lanes) * layer.inputs * layer.taps * layer.groups
    return min(layer.products * cost.lookup, rows * (layer.positions * cost.row + 256 * cost.built))


def _split_ns(layer: Layer, terms: int) -> float:
    sums = layer.positions * layer.outputs * layer.groups
    return _lowrank_ns(layer, terms) + _table_ns(layer, narrow=True) + sums * NS_PER_ADDED[_dispatch.isa()]


def choice_for(unit_or_lut: Any, shape: Sequence[int] | None = None, device: str = "cpu") -> Choice:
    """What "auto" picks for a unit (anything with `.width` and `.table()`) or a table, and why.

    shape: (M, N, K) of a matrix product; (N, C, H, W) of the activations of a 3x3 convolution that keeps the size; or
    (N, C, H', W', O, kh, kw) and groups, H' and W' the output's. None: a layer of ordinary size.
    FormatError when an operand is wider than 8 bits, since a code is a uint8.
    """
    width = getattr(unit_or_lut, "width", None)
    codes = [2**w for w in width] if width is not None else list(unit_or_lut.shape)
    if max(codes) > 256:
        raise FormatError(
            f"operands must be at most 8 bits wide to go through a table, not {codes[0].bit_length() - 1}x{codes[-1].bit_length() - 1}"
        )
    lut = unit_or_lut.table() if width is not None else unit_or_lut
    table = lut if isinstance(lut, Tensor) else torch.from_numpy(lut.copy())
    return choose(checked_table(table), Layer.of(shape), device)


def engine_for(unit_or_lut: Any, shape: Sequence[int] | None = None, device: str = "cpu") -> str:
    """The engine of `choice_for`."""
    return choice_for(unit_or_lut, shape, device).engine
