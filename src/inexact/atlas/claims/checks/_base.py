"""The family of checks: what a kind of check gives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from numpy.typing import ArrayLike

from inexact.core.errors import ClaimError
from inexact.core.registry import Family
from inexact.metrics import mean_of


@final
@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measured value in the unit of its check. low, high: its interval, both the value where nothing was sampled. n: what was counted
    (operand pairs, images, layers), 0 where nothing was. detail: what a reader needs to know besides, in a few words."""

    value: float
    low: float
    high: float
    n: int = 0
    detail: str = ""

    @classmethod
    def exact(cls, value: float, *, n: int = 0, detail: str = "") -> Measured:
        """A value without uncertainty."""
        return cls(value=float(value), low=float(value), high=float(value), n=n, detail=detail)

    @classmethod
    def mean(cls, values: ArrayLike, *, detail: str = "") -> Measured:
        """The mean of two or more independent repetitions, with its 95 % t interval; n: their number."""
        found = mean_of(values)
        return cls(value=found.mean, low=found.low, high=found.high, n=found.n, detail=detail)


class Check(ABC):
    """One way to measure a claim; members are frozen dataclasses whose fields are what a claim says in its `check` table."""

    family_name: ClassVar[str]

    @property
    @abstractmethod
    def unit(self) -> str:
        """Unit of the value, "1" for a pure number; a claim states the same."""

    @abstractmethod
    def measure(self) -> Measured:
        """Measure now. Raises UnavailableError or MissingDependencyError for what is not on this machine."""

    @final
    def __call__(self) -> Measured:
        """Measure, and refuse what is no number. Raises ClaimError for that, else as `measure`."""
        found = self.measure()
        if not (math.isfinite(found.value) and found.low <= found.value <= found.high):
            raise ClaimError(f"{self.family_name} must give a number within its interval, not {found.value} in {found.low} to {found.high}")
        return found


kinds: Family[Check] = Family("check", "inexact.atlas.claims.checks")
"""All kinds of checks by name."""


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise ClaimError unless `value` is one of the `known` words."""
    if value not in known:
        raise ClaimError(f"{name} must be one of {', '.join(known)}, not {value!r}")
