"""Sensitivity regulariser: weights are looked for where the answers hardly move with the weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from inexact.core.errors import SpecError
from inexact.recovery.training.losses._base import Loss, Step, losses
from inexact.recovery.training.losses.cross_entropy import CrossEntropy


@losses.register("sensitivity")
@final
@dataclass(frozen=True, kw_only=True)
class Sensitivity(Loss):
    """Another loss + strength * mean over images of sum_k sum_i (d score_k / d w_i * s_i)**2, s_i the step of weight i's codes.

    strength: at least 0. base: the loss it is added to. The sum of squares is the variance of the scores, to first order, when every
    weight is off by an independent error of one code. It is estimated without bias by one gradient of the scores summed under random
    signs, drawn anew each step. Costs a second backward pass, through the first; straight-through gradient only.

    Reference: X. He, L. Ke, W. Lu, G. Yan, X. Zhang, AxTrain: Hardware-Oriented Neural Network Training for Approximate Inference,
    ISLPED 2018, doi:10.1145/3218603.3218643 (the active method: a penalty on the sensitivity to weight noise; scaling by the codes'
    step and the estimate by random signs: derived here)
    """

    strength: float = 0.01
    base: Loss = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        if not self.strength >= 0:
            raise SpecError(f"strength must be at least 0, not {self.strength!r}")

    @property
    def needs_teacher(self) -> bool:
        """Where the other loss does."""
        return self.base.needs_teacher

    @property
    def differentiates_twice(self) -> bool:
        """Always."""
        return True

    def value(self, step: Step) -> Tensor:
        """A scalar."""
        return self.base.value(step) + self.strength * sensitivity(step)


def sensitivity(step: Step) -> Tensor:
    """The estimate for one batch and one draw of signs, a scalar that can be differentiated."""
    signs = torch.randint(0, 2, step.scores.shape, generator=step.generator).to(step.scores) * 2 - 1
    weights = [weight for weight, _ in step.weights]
    gradients = torch.autograd.grad((signs * step.scores).sum(), weights, create_graph=True)
    parts = [(gradient * size).square().sum() for gradient, (_, size) in zip(gradients, step.weights, strict=True)]
    return torch.stack(parts).sum() / len(step.scores)
