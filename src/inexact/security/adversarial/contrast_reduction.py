"""Contrast reduction: every pixel moves towards mid grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from inexact.security.adversarial._base import Attack, attacks, check_norm, distances
from inexact.security.adversarial._target import Images, Target


@attacks.register("contrast_reduction")
@final
@dataclass(frozen=True, kw_only=True)
class ContrastReduction(Attack):
    """The image is blended with grey 0.5 until its change has size epsilon, or it is all grey. The same for every network.

    norm: "linf" or "l2".

    Reference: J. Rauber, W. Brendel, M. Bethge, Foolbox, 2017, arXiv 1707.04131 (its contrast reduction attacks)
    """

    norm: str = "l2"
    needs: ClassVar[str] = "nothing"
    bounded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_norm(self.norm)

    @property
    def measure(self) -> str:
        """The norm."""
        return self.norm

    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """One blend."""
        change = 0.5 - images.pixels
        size = distances(change, self.norm)
        share = torch.where(size > epsilon, epsilon / size, 1.0)
        return images.pixels + change * share[:, None, None, None]

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Both norms."""
        return [cls(), cls(norm="linf")]
