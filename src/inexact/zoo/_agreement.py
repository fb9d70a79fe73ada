"""How far a network's answers are from those of another on the same images; needs no labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from inexact.core.errors import DataError
from inexact.metrics import wilson
from inexact.zoo._modes import evaluating
from inexact.zoo.datasets import Dataset


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """top1: percent of images on which both networks give the same class, with a 95 % Wilson interval.

    logit_rmse: root mean square difference of the logits. logit_error: the same divided by the deviation of the reference's logits
    around their mean (0 = equal, 1 = as wrong as a constant). n: images.
    """

    top1: float
    top1_ci: tuple[float, float]
    logit_rmse: float
    logit_error: float
    n: int

    def to_json(self) -> dict[str, float | int | list[float]]:
        """Plain values."""
        return {**asdict(self), "top1_ci": list(self.top1_ci)}


def agreement(model: nn.Module, reference: nn.Module, data: Dataset | Tensor, *, batch_size: int = 50) -> Agreement:
    """Compare two classifiers, in eval mode, on images [N, C, H, W]. Raises DataError for no images."""
    images = data.images if isinstance(data, Dataset) else data
    if not len(images):
        raise DataError("data must hold at least one image; it is empty")
    with evaluating(model, reference):
        pairs = [(model(batch).double(), reference(batch).double()) for batch in torch.split(images, batch_size)]
    ours, theirs = torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs])
    same = int((ours.argmax(1) == theirs.argmax(1)).sum())
    rmse = float((ours - theirs).square().mean().sqrt())
    spread = float(theirs.std(correction=0))
    low, high = wilson(same, len(images))
    return Agreement(
        top1=100 * same / len(images),
        top1_ci=(100 * low, 100 * high),
        logit_rmse=rmse,
        logit_error=rmse / spread if spread else float("inf") if rmse else 0.0,
        n=len(images),
    )
