"""Cross entropy with the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn import functional

from inexact.core.errors import SpecError
from inexact.recovery.training.losses._base import Loss, Step, losses


@losses.register("cross_entropy")
@final
@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Loss):
    """Mean of -log p(label).

    smoothing: share of the label spread over all classes, 0..1, one excluded.

    Reference: C. Szegedy et al., CVPR 2016, doi:10.1109/CVPR.2016.308 (label smoothing)
    """

    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise SpecError(f"smoothing must be at least 0 and below 1, not {self.smoothing!r}")

    def value(self, step: Step) -> Tensor:
        """A scalar."""
        return functional.cross_entropy(step.scores, step.labels, label_smoothing=self.smoothing)
