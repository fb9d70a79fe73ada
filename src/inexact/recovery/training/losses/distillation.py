"""Knowledge distillation: the emulated network learns the float32 network's answers beside the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn import functional

from inexact.core.errors import SpecError
from inexact.recovery.training.losses._base import Loss, Step, losses


@losses.register("distillation")
@final
@dataclass(frozen=True, kw_only=True)
class Distillation(Loss):
    """(1 - alpha) CE(labels) + alpha T**2 KL(p_T of the teacher, p_T of the pupil), p_T the softmax of scores / T.

    alpha: 0..1, the teacher's share. temperature: T, above 0; T**2 keeps the size of the gradients as T grows.

    Reference: G. Hinton, O. Vinyals, J. Dean, Distilling the Knowledge in a Neural Network, 2015, arXiv 1503.02531; for approximate
    multipliers: C. De la Parra et al., Knowledge Distillation and Gradient Estimation for Active Error Compensation in Approximate
    Neural Networks, DATE 2021
    """

    alpha: float = 0.5
    temperature: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise SpecError(f"alpha must be 0..1, not {self.alpha!r}")
        if not self.temperature > 0:
            raise SpecError(f"temperature must be above 0, not {self.temperature!r}")

    @property
    def needs_teacher(self) -> bool:
        """Always."""
        return True

    def value(self, step: Step) -> Tensor:
        """A scalar."""
        if step.teacher is None:
            raise SpecError("distillation needs the scores of a teacher; none came")
        pupil = functional.log_softmax(step.scores / self.temperature, dim=1)
        teacher = functional.log_softmax(step.teacher / self.temperature, dim=1)
        divergence = functional.kl_div(pupil, teacher, reduction="batchmean", log_target=True)
        labels = functional.cross_entropy(step.scores, step.labels)
        return (1 - self.alpha) * labels + self.alpha * self.temperature**2 * divergence
