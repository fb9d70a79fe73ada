"""Carlini and Wagner's L2 attack: the smallest change by gradient descent on size and margin together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from inexact.core.errors import require_range
from inexact.security.adversarial._base import Attack, attacks, distances
from inexact.security.adversarial._target import Images, Target, margins

LARGEST = 1e10


@attacks.register("carlini_wagner")
@final
@dataclass(frozen=True, kw_only=True)
class CarliniWagner(Attack):
    """Adam on |change|^2 + c max(0, -margin), clipped to the box after every step; c by bisection for every image.

    Clipping is the paper's first method of three; the third, tanh, hardly moves pixels at 0 within few steps. Own code, because ART's
    searches each step's length by forward passes, which ends at once on the staircase of an emulated network.

    searches: 1..50 values of c. steps: 1..10000 each. rate: of Adam, in pixels. first: the first c.

    Reference: N. Carlini, D. Wagner, Towards Evaluating the Robustness of Neural Networks, IEEE S&P 2017, arXiv 1608.04644
    """

    searches: int = 4
    steps: int = 30
    rate: float = 0.05
    first: float = 1.0
    needs: ClassVar[str] = "gradients"
    bounded: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_range("searches", self.searches, 1, 50)
        require_range("steps", self.steps, 1, 10_000)

    @property
    def measure(self) -> str:
        """Root of the sum of squares."""
        return "l2"

    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """The smallest change of all searches; images that were never fooled stay as they are."""
        best, size = images.pixels.clone(), torch.full((len(images),), torch.inf)
        low, high = torch.zeros(len(images)), torch.full((len(images),), LARGEST)
        weight = torch.full((len(images),), self.first)
        for _ in range(self.searches):
            found, lengths = self._descend(target, images, weight)
            better = lengths < size
            best[better], size[better] = found[better], lengths[better]
            fooled = torch.isfinite(lengths)
            high, low = torch.where(fooled, weight, high), torch.where(fooled, low, weight)
            weight = torch.where(high < LARGEST, (low + high) / 2, weight * 10)
        return best

    def _descend(self, target: Target, images: Images, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The smallest wrong pixels on the way, and their L2 change; infinite where none was wrong."""
        pixels = images.pixels.clone().requires_grad_()
        optimiser = torch.optim.Adam([pixels], lr=self.rate)
        best, size = images.pixels.clone(), torch.full((len(images),), torch.inf)
        for _ in range(self.steps):
            with torch.enable_grad():
                margin = margins(target(pixels), images.labels)
                change = (pixels - images.pixels).flatten(1)
                loss = (change.square().sum(1) + weight * (-margin).clamp_min(0)).sum()
            lengths = torch.where(margin.detach() > 0, distances(change.detach(), "l2"), torch.inf)
            better = lengths < size
            best[better], size[better] = pixels.detach()[better], lengths[better]
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            with torch.no_grad():
                pixels.clamp_(0, 1)
        return best, size

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Few steps."""
        return [cls(searches=2, steps=5)]
