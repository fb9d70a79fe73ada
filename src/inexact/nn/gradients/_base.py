"""The family of gradients: each says how fast a unit's answer moves with one operand while the other is held."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from inexact.core.registry import Family, spec_of

Floats = NDArray[np.float64]


class Gradient(ABC):
    """A derivative of a truth table, which is a staircase and has none of its own; members are frozen dataclasses with the hook `slope`.

    The backward pass follows from it: the gradient of `sum_k U(a_k, b_k)` for a_k is the sum over outputs of the gradient that
    arrives times `slope[a_k, b_k]`, and likewise for b_k.
    """

    family_name: ClassVar[str]

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    def check(self, values: int) -> None:  # noqa: B027  a hook: most members take any operand
        """Hook: raise SpecError when a parameter does not fit an operand with that many code values."""

    @abstractmethod
    def slope(self, table: Floats, moving: Floats, fixed: Floats) -> Floats:
        """d table / d moving, float64 [X, F].

        table: float64 [X, F], the unit's answer for every value of the operand that moves and of the one that is held.
        moving: its X values, ascending in steps of one. fixed: the F values of the other. For the exact table the slope is `fixed`.
        """


gradients: Family[Gradient] = Family("gradient", "inexact.nn.gradients")
