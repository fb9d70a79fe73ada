"""Softmax along the last axis from any exponential unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, final

import numpy as np

from inexact.core.errors import SpecError
from inexact.units._function import Codes, Function, functions


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
