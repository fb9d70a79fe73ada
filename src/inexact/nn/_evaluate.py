"""Accuracy, and paired accuracy differences with their confidence intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact.core.errors import DataError
from inexact.core.notebook import as_html
from inexact.metrics import paired_difference, wilson
from inexact.nn._data import Data, batches, device_of

Correct = NDArray[np.bool_]
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Top-1 accuracy in percent with a 95 % interval, and the drops in points against float32 and against the exact 8-bit network.

    drop > 0: worse than the reference on the same images; None without a reference. p_value: exact McNemar test against float32.
    correct: bool [n], which images were right.
    """

    top1: float
    top1_ci: tuple[float, float]
    n: int
    correct: Correct = field(repr=False)
    drop: float | None = None
    drop_ci: tuple[float, float] | None = None
    p_value: float | None = None
    drop_int8: float | None = None
    drop_int8_ci: tuple[float, float] | None = None

    def __str__(self) -> str:
        """Accuracy and drops, a line each, with their intervals."""
        counted = "1 image" if self.n == 1 else f"{self.n} images"
        lines = [f"top-1 {self.top1:.2f} % [{self.top1_ci[0]:.2f}, {self.top1_ci[1]:.2f}] on {counted}"]
        for drop, interval, against in (
            (self.drop, self.drop_ci, "float32"),
            (self.drop_int8, self.drop_int8_ci, "the exact 8-bit network"),
        ):
            if drop is not None and interval is not None:
                lines.append(f"drop {drop:+.2f} points [{interval[0]:+.2f}, {interval[1]:+.2f}] against {against}, paired, 95 % interval")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_json(self) -> dict[str, Any]:
        """Everything but `correct`, in percent and points."""
        return {
            "top1": self.top1,
            "top1_ci": list(self.top1_ci),
            "drop": self.drop,
            "drop_ci": list(self.drop_ci) if self.drop_ci else None,
            "p_value": self.p_value,
            "drop_int8": self.drop_int8,
            "drop_int8_ci": list(self.drop_int8_ci) if self.drop_int8_ci else None,
            "n": self.n,
        }


def evaluate(
    model: nn.Module,
    data: Data,
    *,
    reference: nn.Module | Evaluation | None = None,
    reference_int8: nn.Module | Evaluation | None = None,
    batch_size: int = 250,
    progress: Progress | None = None,
) -> Evaluation:
    """Top-1 accuracy of a classifier; with references, the paired drops on the same images.

    reference, reference_int8: the float32 and the exact 8-bit network, or their evaluations on the same data in the same order.
    progress: called with the number of images done in each step. Results do not depend on `batch_size`.
    Raises DataError for empty data, missing labels, and references of another length.
    """
    correct = correct_answers(model, data, batch_size=batch_size, progress=progress)
    values: dict[str, Any] = {}
    for suffix, against in (("", reference), ("_int8", reference_int8)):
        if against is None:
            continue
        if not isinstance(against, nn.Module | Evaluation):
            raise DataError(f"a reference must be a network or its Evaluation, not {type(against).__name__}")
        base = against.correct if isinstance(against, Evaluation) else correct_answers(against, data, batch_size=batch_size)
        if len(base) != len(correct):
            raise DataError(f"a reference must be evaluated on the same {len(correct)} images; it has {len(base)}")
        difference = paired_difference(base, correct)
        values["drop" + suffix] = 100 * difference.drop
        values[f"drop{suffix}_ci"] = (100 * difference.low, 100 * difference.high)
        if not suffix:
            values["p_value"] = difference.p_value
    low, high = wilson(int(correct.sum()), len(correct))
    return Evaluation(top1=100 * float(correct.mean()), top1_ci=(100 * low, 100 * high), n=len(correct), correct=correct, **values)


@torch.no_grad()
def correct_answers(model: nn.Module, data: Data, *, batch_size: int = 250, progress: Progress | None = None) -> Correct:
    """bool [n]: which inputs the network classifies right. Raises DataError for empty or unlabelled data, labels out of range."""
    was_training = model.training
    model.eval()
    found: list[Tensor] = []
    device = device_of(model)
    try:
        for inputs, labels in batches(data, batch_size):
            if labels is None:
                raise DataError(
                    "accuracy needs labels: give a data set of (input, label), a pair (inputs, labels) or batches of such pairs"
                )
            scores = model(inputs.to(device))
            if not isinstance(scores, Tensor) or scores.dim() != 2:
                came = f"a tensor of shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
                raise DataError(f"a classifier must return scores [n, classes] as one tensor, not {came}: wrap the network so that it does")
            _check_labels(labels, scores.shape[1])
            found.append(scores.argmax(1).cpu() == labels.cpu())
            if progress is not None:
                progress(len(labels))
    finally:
        model.train(was_training)
    if not found:
        raise DataError("data must hold at least one image; it is empty")
    return torch.cat(found).numpy()


def _check_labels(labels: Tensor, classes: int) -> None:
    if labels.is_floating_point():
        raise DataError(f"labels must be integers, the numbers of classes, not {str(labels.dtype).removeprefix('torch.')}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise DataError(f"labels must be 0..{classes - 1} for this network of {classes} classes; found {low if low < 0 else high}")
