"""Softmax along the last axis from any exponential unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np

from inexact.circuits import ONE, ZERO, Builder, Columns, Wires, add_columns
from inexact.circuits.columns import add_word
from inexact.circuits.words import and_word, divide, mux_word, not_word
from inexact.core.errors import SpecError
from inexact.units._fixed import saturate
from inexact.units._function import Codes, Function, functions
from inexact.units._wiring import add


@functions.register("softmax")
@final
@dataclass(frozen=True, kw_only=True)
class Softmax(Function):
    """`E(x - max x) / sum of E(x - max x)` along the last axis: E an exponential unit, sums and quotients exact and rounded to nearest.

    exponential: a unit for exp (or its spec); its argument format is this unit's, and differences below its range saturate. width,
    fraction: the argument's format, taken from the exponential. out_width, out_fraction: format of the result, unsigned.
    Error: the results of a row sum to 1 within half a last place each; every result's relative error is at most twice the
    exponential's.

    Reference: J. R. Stevens, R. Venkatesan, S. Dai, B. Khailany, A. Raghunathan, "Softermax: hardware/software co-design of an
    efficient softmax for transformers", DAC 2021, doi:10.1109/DAC18074.2021.9586134
    """

    exponential: Function | str = field(default="base2", metadata={"written": True})
    width: int = field(default=8, init=False)
    fraction: int = field(default=4, init=False)
    out_width: int = 16
    out_fraction: int = 15

    def check(self) -> None:
        """An exponential; its format."""
        unit = functions.get(self.exponential)
        if not unit.elementwise or unit.target != "exp":
            raise SpecError(f"exponential must be a unit for exp, as base2(function=exp,segments=4), not {unit.spec}")
        for name, value in (("exponential", unit), ("width", unit.width), ("fraction", unit.fraction)):
            object.__setattr__(self, name, value)

    @property
    def target(self) -> str:
        """softmax."""
        return "softmax"

    @property
    def elementwise(self) -> bool:
        """A result depends on its row."""
        return False

    @property
    def signed(self) -> bool:
        """Arguments are two's complement."""
        return True

    @property
    def out_signed(self) -> bool:
        """Results are not negative."""
        return False

    def evaluate(self, codes: Codes) -> Codes:
        """Exponentials of the differences to the row's maximum, divided by their sum."""
        if codes.ndim == 0 or codes.shape[-1] == 0:
            raise SpecError("softmax needs at least one argument along the last axis")
        unit = functions.get(self.exponential)
        below = np.maximum(codes - codes.max(axis=-1, keepdims=True), unit.argument_range()[0])
        powers = unit(below)
        total = powers.sum(axis=-1, keepdims=True)
        return np.asarray(((powers << (self.out_fraction + 1)) + total) // (2 * total), dtype=np.int64)

    def place_row(self, b: Builder, row: Sequence[Wires]) -> Sequence[Wires] | None:
        """A tree of maxima, an exponential an argument, one sum, an array an argument that divides; None when the exponential has none."""
        inner = functions.get(self.exponential).circuit()
        if inner is None:
            return None
        most = list(row)
        while len(most) > 1:
            pairs = [most[place : place + 2] for place in range(0, len(most), 2)]
            most = [_larger(b, *pair) if len(pair) == 2 else pair[0] for pair in pairs]
        powers = [b.include(inner, _below(b, word, most[0]))[0] for word in row]
        columns: Columns = [[] for _ in range(len(powers[0]) + (len(row) - 1).bit_length())]
        for power in powers:
            add_word(columns, power)
        total = add_columns(b, columns)
        quotients = [add(b, divide(b, power, total, self.out_fraction + 1), (ONE,))[1:] for power in powers]
        return [saturate(b, (*quotient, ZERO), self.out_width, signed=False) for quotient in quotients]

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Over every kind of exponential; a narrow result."""
        kinds = (
            "base2(function=exp,segments=1)",
            "base2(function=exp,segments=8)",
            "lookup(function=exp,entries=64)",
            "linear(function=exp,segments=16)",
        )
        return [*(cls(exponential=functions.get(spec)) for spec in kinds), cls(out_width=8, out_fraction=8)]


def _larger(b: Builder, x: Wires, y: Wires) -> Wires:
    """The greater of two words in two's complement."""
    turned = ((*word[:-1], b.not_(word[-1])) for word in (x, y))
    first, second = turned
    return mux_word(b, add(b, first, not_word(b, second), ONE)[-1], y, x)


def _below(b: Builder, x: Wires, most: Wires) -> Wires:
    """x - most as an argument of the exponential, not below the least."""
    width = len(x)
    difference = add(b, (*x, x[-1]), not_word(b, (*most, most[-1])), ONE)[: width + 1]
    negative = difference[-1]
    lost = b.and_(negative, b.not_(difference[width - 1]))
    return (*and_word(b, difference[: width - 1], b.not_(lost)), negative)
