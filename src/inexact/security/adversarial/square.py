"""Square: random squares of pixels, kept when the margin falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from inexact.core.errors import AttackError, require_range
from inexact.security.adversarial._base import Attack, attacks, check_norm
from inexact.security.adversarial._packages import package
from inexact.security.adversarial._target import Images, Target

LEAST_SIDE = 10
"""Pixels: the L2 version cuts an image into 5 x 5 windows of at least 2 x 2."""
PACKAGE_NORMS = {"linf": "Linf", "l2": "L2"}


@attacks.register("square")
@final
@dataclass(frozen=True, kw_only=True)
class Square(Attack):
    """Score-based random search; run by pyautoattack, whose squares differ from image to image (ART's are shared by a batch).

    norm: "linf" or "l2". queries: 1..1000000 an image at most; the size of squares shrinks over them as published. An image is left as soon
    as it is wrong.

    Reference: M. Andriushchenko et al., Square Attack, ECCV 2020, arXiv 1912.00049
    """

    norm: str = "linf"
    queries: int = 300
    needs: ClassVar[str] = "scores"
    bounded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_norm(self.norm)
        require_range("queries", self.queries, 1, 10**6)

    @property
    def measure(self) -> str:
        """The norm."""
        return self.norm

    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """All queries."""
        height, width = images.pixels.shape[2:]
        if self.norm == "l2" and min(height, width) < LEAST_SIDE:
            raise AttackError(
                f"{self.spec} places windows in a grid and needs images of {LEAST_SIDE} x {LEAST_SIDE}, not {height} x {width}"
            )
        method = package("pyautoattack.square").SquareAttack(
            target,
            norm=PACKAGE_NORMS[self.norm],
            n_queries=self.queries,
            eps=epsilon,
            p_init=0.8,
            seed=int(torch.randint(2**31, ())),
            resc_schedule=True,
            device="cpu",
        )
        found: Tensor = method.perturb(images.pixels, images.labels)
        return found

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Both norms, few queries."""
        return [cls(queries=20), cls(norm="l2", queries=20)]
