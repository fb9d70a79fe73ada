"""FGSM: one step along the sign of the gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from torch import Tensor

from inexact.security.adversarial._base import Attack, art_classifier, attacks, from_art
from inexact.security.adversarial._packages import package
from inexact.security.adversarial._target import Images, Target


@attacks.register("fgsm")
@final
@dataclass(frozen=True, kw_only=True)
class FastGradientSign(Attack):
    """Every pixel moves by epsilon in the direction that raises the loss. One gradient an image; run by ART.

    Reference: I. Goodfellow, J. Shlens, C. Szegedy, Explaining and Harnessing Adversarial Examples, ICLR 2015, arXiv 1412.6572
    """

    needs: ClassVar[str] = "gradients"
    bounded: ClassVar[bool] = True

    @property
    def measure(self) -> str:
        """Largest change of a pixel."""
        return "linf"

    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """One step."""
        make = package("art.attacks.evasion").FastGradientMethod
        return from_art(make(art_classifier(target, images), norm=np.inf, eps=epsilon, batch_size=len(images)), images)
