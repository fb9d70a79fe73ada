"""The best of many candidates that are counted at once, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from inexact.hardware._mapping import Mapping

Found = tuple[tuple[float, float], Mapping]
"""((objective, tie-break), mapping) of the best candidate."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One candidate. place: which; shape: of the arrays. score: (objective, tie-break)."""

    place: int
    shape: tuple[int, ...]
    score: tuple[Any, Any]

    @classmethod
    def of(cls, score: tuple[Any, Any], shape: tuple[int, ...], fits: Any = True) -> Chosen:
        """The candidate that fits with the least objective, and of those that share it the least tie-break."""
        keys = np.broadcast_to(np.where(fits, score[0], np.inf), shape)
        ties = np.flatnonzero(keys == keys.min())
        return cls(int(ties[np.argmin(np.broadcast_to(score[1], shape)[ties])]), shape, score)

    def at(self, values: Any) -> float:
        """Its value among those of all candidates, or the one that all share."""
        return float(np.broadcast_to(values, self.shape)[self.place])

    @property
    def key(self) -> tuple[float, float]:
        """Its objective and tie-break."""
        return self.at(self.score[0]), self.at(self.score[1])

    def moved(self, pairs: dict[str, tuple[Any, Any]]) -> dict[str, tuple[float, float]]:
        """Its (read, written) by name."""
        return {name: (self.at(read), self.at(written)) for name, (read, written) in pairs.items()}
