"""Which of two ways of retraining wins more accuracy back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import check_images, correct_after, emulated
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.errors import ClaimError


@kinds.register("training_difference")
@final
@dataclass(frozen=True, kw_only=True)
class TrainingDifference(Check):
    """Top-1 accuracy after the fine-tuning `better`, less that after `worse`, in points: mean over `seeds` seeds with its 95 % t interval.

    rules: of the network, a plan's table. better, worse: specs of fine-tunings, as `finetune(epochs=2,gradient=linear_fit)`. Both see the
    first `train_images` training images in the same order, and are judged on the first `images` test images.
    """

    network: str
    data: str
    rules: dict[str, Any]
    better: str
    worse: str
    train_images: int = 4096
    images: int = 10_000
    seeds: int = 3

    def __post_init__(self) -> None:
        check_images(self.images)
        if self.seeds < 2:
            raise ClaimError(f"seeds must be at least 2 for an interval, not {self.seeds}")

    @property
    def unit(self) -> str:
        """Points."""
        return "points"

    def measure(self) -> Measured:
        """By training twice a seed."""
        from inexact import zoo
        from inexact.recovery.training import run_finetune

        tuning = zoo.data(self.data, "train", self.train_images)
        start = emulated(self.network, self.data, self.rules)
        differences, after = [], []
        for seed in range(self.seeds):
            nets = [run_finetune(start, tuning, training, seed=seed).net for training in (self.better, self.worse)]
            better, worse = (100 * float(correct_after(net, self.data, self.images).mean()) for net in nets)
            differences.append(better - worse)
            after.append(better)
        detail = f"{sum(after) / self.seeds:.2f} % after {self.better}, {self.network} on {self.data}"
        return Measured.mean(differences, detail=detail)
