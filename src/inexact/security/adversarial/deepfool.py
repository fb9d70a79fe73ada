"""DeepFool: to the nearest boundary of the network as if it were linear, again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

from torch import Tensor

from inexact.core.errors import require_range
from inexact.security.adversarial._base import Attack, art_classifier, attacks, from_art
from inexact.security.adversarial._packages import package
from inexact.security.adversarial._target import Images, Target


@attacks.register("deepfool")
@final
@dataclass(frozen=True, kw_only=True)
class DeepFool(Attack):
    """The smallest L2 change found by linearising the logits; run by ART.

    steps: 1..10000 at most. classes: 2..1000 most likely classes whose boundaries are looked at. overshoot: how far beyond, relative.

    Reference: S. Moosavi-Dezfooli, A. Fawzi, P. Frossard, DeepFool, CVPR 2016, arXiv 1511.04599
    """

    steps: int = 20
    classes: int = 10
    overshoot: float = 0.02
    needs: ClassVar[str] = "gradients"
    bounded: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_range("steps", self.steps, 1, 10_000)
        require_range("classes", self.classes, 2, 1000)

    @property
    def measure(self) -> str:
        """Root of the sum of squares."""
        return "l2"

    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """Until every image has changed its class."""
        make = package("art.attacks.evasion").DeepFool
        classifier = art_classifier(target, images)
        method = make(
            classifier,
            max_iter=self.steps,
            epsilon=self.overshoot,
            nb_grads=min(self.classes, classifier.nb_classes),
            batch_size=len(images),
            verbose=False,
        )
        return from_art(method, images)

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Few steps, few classes."""
        return [cls(steps=3, classes=3)]
