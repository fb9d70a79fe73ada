"""Which engine serves a call: the one asked for, or under "auto" the fastest by a cost model, among those proven for the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import torch
from torch import Tensor

from inexact.core.errors import FormatError
from inexact.kernels import _dispatch, _lowrank
from inexact.kernels._check import checked_table
from inexact.kernels._cost import Layer, Machine
from inexact.kernels._known import MOST_RANK, Known, known_of


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
            return f"its rank is above {MOST_RANK}, too many matrix products to beat looking products up"
        if not self.rates:
            return ways[0]
        return f"{'; '.join(ways)}; predicted per core: " + ", ".join(
            f"{name} {rate:.0f} G products/s" for name, rate in self.rates.items()
        )


def resolve(engine: str, device: str, known: Known, layer: Layer) -> str:
    """The engine that serves `engine` ("auto" or a name); errors as `_dispatch.require`."""
    if engine == "auto":
        return weigh(known, layer, device).engine
    _dispatch.require(engine, device)
    return engine


def check(engine: str, device: str) -> None:
    """Errors of `resolve` for a call that has nothing to compute."""
    if engine != "auto":
        _dispatch.require(engine, device)


def choose(lut: Tensor, layer: Layer, device: str = "cpu") -> Choice:
    """The fastest engine for a checked table and a layer, by the cost model."""
    return weigh(known_of(lut), layer, device)


def weigh(known: Known, layer: Layer, device: str = "cpu") -> Choice:
    """The same, from what is known of the table."""
    rank, terms = (None, None) if known.factors is None else (known.factors.rank, len(known.factors.terms))
    if _dispatch.core() is None or device != "cpu":
        return Choice(engine="torch" if terms is None else "lowrank", rates={}, rank=rank, terms=terms)
    machine = Machine(isa=_dispatch.isa(), products=_lowrank.path(), threads=_dispatch.threads())
    rates = _rates(machine, layer, known.narrow, terms, None if known.split is None else len(known.split.product.terms))
    return Choice(engine=max(rates, key=lambda name: rates[name]), rates=dict(rates), rank=rank, terms=terms)


@lru_cache(maxsize=4096)
def _rates(machine: Machine, layer: Layer, narrow: bool, terms: int | None, split: int | None) -> Mapping[str, float]:
    """As in `Choice`. terms, split: byte products of the table's factors, and of those of its split's product; None without."""
    times = {"table": machine.table_ns(layer, narrow=narrow)}
    if terms is not None:
        times["lowrank"] = machine.lowrank_ns(layer, terms)
    if split is not None:
        times["split"] = machine.split_ns(layer, split)
    return {name: layer.products / time / machine.used(layer) for name, time in times.items()}


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
