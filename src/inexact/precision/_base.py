"""The family of formats, and the short names users write."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from inexact.core.errors import SpecError, UnknownNameError, near
from inexact.core.numbers import SYSTEMS
from inexact.core.registry import Family, spec_of
from inexact.core.workload import Coding
from inexact.precision._calibration import Observer
from inexact.precision._quantiser import Grid, Quantiser


class Format(ABC):
    """How the operands of one layer are stored; members are frozen dataclasses.

    a_bits, b_bits: bits of the codes of activations and weights, which units multiply; in memory a weight takes `stored_bits`.
    """

    family_name: ClassVar[str]
    a_bits: int
    b_bits: int

    @property
    def spec(self) -> str:
        """Canonical spec, such as `w4a8` or `int(b_bits=4,granularity=per_tensor)`."""
        return self.short_name() or spec_of(self)

    @property
    def stored_bits(self) -> int:
        """Bits a weight takes in memory."""
        return self.b_bits

    @property
    def a_grid(self) -> Grid | None:
        """The sizes that activations may have; None when they are evenly spaced."""
        return None

    @property
    def b_grid(self) -> Grid | None:
        """The sizes that weights may have; None when they are evenly spaced."""
        return None

    @property
    def system(self) -> str | None:
        """The number system codes are of, see `core.numbers.SYSTEMS`; None for integers. Codes are then ranks, see there."""
        return None

    @property
    def block(self) -> int | None:
        """Channels that share a scale, found as values come; None where scales are fixed."""
        return None

    @property
    def quick_weights(self) -> bool:
        """Whether the range of weights is found without a search, so that it may follow them in every step of a training."""
        return False

    def short_name(self) -> str | None:
        """A shorter spec that `get` reads, where there is one."""
        return None

    @property
    @abstractmethod
    def integer_output(self) -> bool:
        """Whether the accumulator is requantised to output codes with integers only."""

    @abstractmethod
    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """The activation quantiser for what `observer` saw."""

    @abstractmethod
    def right_activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """The quantiser of activations on the unit's right, where weights stand elsewhere: `b_bits`, coded as weights, per tensor."""

    @abstractmethod
    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """The weight quantiser of a weight tensor [O, …]."""

    @abstractmethod
    def scale_shape(self, weight: Tensor) -> tuple[int, ...]:
        """How the weight scale is reshaped to broadcast over a weight [O, …]; -1 stands for O."""

    @abstractmethod
    def outputs(self, observer: Observer) -> Quantiser:
        """The output quantiser, for integer requantisation."""


formats: Family[Format] = Family("format", "inexact.precision")

NAMED = {name: f"number(system={name})" for name, system in SYSTEMS.items() if system.width <= 8} | {
    "mxint8": "block(element=int8)",
    **{f"mxfp{SYSTEMS[name].width}_{name}": f"block(element={name})" for name in ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1")},
}
"""Names that stand for a format: number systems of at most 8 bits, and the OCP's microscaling formats."""

_SHORT = re.compile(r"int(?P<both>\d+)|w(?P<b>\d+)a(?P<a>\d+)")


def get(spec: str | Format) -> Format:
    """The format a spec describes: `int8`, `w4a8` (4-bit weights, 8-bit activations), `e4m3`, or a call such as `int(a_bits=8, b_bits=4)`.

    Raises SpecError for malformed specs and widths outside 2..16, UnknownNameError for unknown formats.
    """
    if isinstance(spec, str):
        short = _SHORT.fullmatch(spec.strip())
        if short:
            a_bits, b_bits = (short["both"],) * 2 if short["both"] else (short["a"], short["b"])
            return formats.get(f"int(a_bits={int(a_bits)},b_bits={int(b_bits)})")
        if spec.strip() in NAMED:
            return formats.get(NAMED[spec.strip()])
        known = (*formats, *NAMED, "int8", "w4a8")
        if spec.strip().isidentifier() and spec.strip() not in formats:
            raise UnknownNameError(f"no format is called {spec.strip()!r}{near(spec.strip(), known)} Known: {', '.join(known)}")
        if not spec.strip():
            raise SpecError("a format must be named, as in 'int8' or 'w4a8'; it is empty")
    return formats.get(spec)
