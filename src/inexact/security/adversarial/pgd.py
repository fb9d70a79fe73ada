"""PGD: steps along the gradient, each followed by projection onto the ball of radius epsilon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from torch import Tensor, nn

from inexact.core.errors import SpecError, require_range
from inexact.security.adversarial._base import Attack, MarginLoss, art_classifier, attacks, check_norm, from_art
from inexact.security.adversarial._packages import package
from inexact.security.adversarial._target import Images, Target

LOSSES = {"cross_entropy": nn.CrossEntropyLoss, "margin": MarginLoss}
REACH = 2.5
"""All steps together go so many epsilons, as in Madry et al.'s code."""


@attacks.register("pgd")
@final
@dataclass(frozen=True, kw_only=True)
class ProjectedGradient(Attack):
    """Projected gradient descent from a random start within epsilon; run by ART.

    norm: "linf" (sign of the gradient) or "l2" (its direction). loss: what is raised, "cross_entropy" or "margin" (the largest other logit
    less the own, which does not level off where a network is sure of itself). steps: 1..10000, each of 2.5 epsilon / steps.
    restarts: 1..1000 random starts; 0 starts at the image itself (basic iterative method).

    Reference: A. Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018, arXiv 1706.06083
    """

    norm: str = "linf"
    loss: str = "cross_entropy"
    steps: int = 20
    restarts: int = 1
    needs: ClassVar[str] = "gradients"
    bounded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_norm(self.norm)
        if self.loss not in LOSSES:
            raise SpecError(f"loss must be one of {', '.join(LOSSES)}, not {self.loss!r}")
        require_range("steps", self.steps, 1, 10_000)
        require_range("restarts", self.restarts, 0, 1000)

    @property
    def measure(self) -> str:
        """The norm."""
        return self.norm

    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """All steps of all starts; the first start that succeeds is kept."""
        make = package("art.attacks.evasion").ProjectedGradientDescent
        method = make(
            art_classifier(target, images, loss=LOSSES[self.loss]()),
            norm=np.inf if self.norm == "linf" else 2,
            eps=epsilon,
            eps_step=min(epsilon, REACH * epsilon / self.steps),
            max_iter=self.steps,
            num_random_init=self.restarts,
            batch_size=len(images),
            verbose=False,
        )
        return from_art(method, images)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Both norms."""
        return [cls(steps=5), cls(norm="l2", loss="margin", steps=5)]
