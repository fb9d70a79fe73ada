"""Noise of the size of an attack: what anybody finds without looking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from inexact.core.errors import require_range
from inexact.security.adversarial._base import Attack, attacks, check_norm, distances
from inexact.security.adversarial._target import Images, Target


@attacks.register("noise")
@final
@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """Random changes of size epsilon: plus or minus epsilon a pixel (linf), or a random direction of that length (l2).

    norm: "linf" or "l2". draws: 1..10000 tries an image; the first that is wrong is kept. A control: an attack that finds less than this
    does not look where it should.

    Reference: N. Carlini et al., On Evaluating Adversarial Robustness, 2019, arXiv 1902.06705, section 4.9
    """

    norm: str = "linf"
    draws: int = 20
    needs: ClassVar[str] = "nothing"
    bounded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_norm(self.norm)
        require_range("draws", self.draws, 1, 10_000)

    @property
    def measure(self) -> str:
        """The norm."""
        return self.norm

    @torch.no_grad()
    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """All draws, of the images that are still right."""
        result = images.pixels.clone()
        left = torch.arange(len(images))
        for _ in range(self.draws):
            change = torch.randn(images.pixels[left].shape)
            change = change.sign() * epsilon if self.norm == "linf" else change * (epsilon / distances(change, "l2"))[:, None, None, None]
            tried = (images.pixels[left] + change).clamp(0, 1)
            wrong = target(tried).argmax(1) != images.labels[left]
            result[left[wrong]] = tried[wrong]
            left = left[~wrong]
            if not len(left):
                break
        return result

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Both norms."""
        return [cls(draws=2), cls(norm="l2", draws=2)]
