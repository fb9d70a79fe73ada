"""The family of losses, and what a loss may look at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from inexact.core.registry import Family, spec_of


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of training, N images and K classes.

    scores: float32 [N, K], of the emulated network. labels: int64 [N]. teacher: float32 [N, K], scores of the float32 network, None when
    the loss needs none. weights: (trained weight of an emulated layer, its step: what one code is worth, broadcastable to it).
    generator: for whatever the loss draws.
    """

    scores: Tensor
    labels: Tensor
    teacher: Tensor | None
    weights: Sequence[tuple[Tensor, Tensor]]
    generator: torch.Generator


class Loss(ABC):
    """What training makes small; members are frozen dataclasses with the hook `value`."""

    family_name: ClassVar[str]

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    @property
    def needs_teacher(self) -> bool:
        """Whether it compares with the scores of the float32 network."""
        return False

    @property
    def differentiates_twice(self) -> bool:
        """Whether it holds a gradient, which only layers with the straight-through gradient can differentiate again."""
        return False

    @abstractmethod
    def value(self, step: Step) -> Tensor:
        """The loss of one step, a scalar."""


losses: Family[Loss] = Family("loss", "inexact.recovery.training.losses")
