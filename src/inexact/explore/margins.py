"""How many right answers a change of the logits costs: the change is seen on few images, the answers are those of many."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.errors import DataError

Floats = NDArray[np.float64]

SHARED = 16
"""Networks of at most so many classes keep them in their own order, others are seen by the rank of each class for its image."""
RANKS = 10
"""Ranks looked at where there are more classes."""
LEAST_GAIN = 0.2
"""What is left of the logits at least: a change that turns them round is not a gain."""
AT_ONCE = 64
"""Plans judged together: their margins stay in cache."""


def columns(logits: Tensor) -> Tensor:
    """int64 [N, T], the classes each image is judged by: all of few, in their order; of many the highest, highest first."""
    classes = logits.shape[1]
    if classes <= SHARED:
        return torch.arange(classes).expand(len(logits), -1)
    return logits.topk(RANKS, dim=1).indices


@final
class Margins:
    """Right answers lost under a change of the logits.

    seen: float32 [N, C], float32 logits of the images changes are measured on. logits: [M, C], of the images answers are counted on.
    labels: int64 [M]. A change is [N, T], its entries those of `columns(seen)`.

    The change is split into a common gain of all logits, which changes no answer, a bias of each class, and the rest, whose covariance is
    kept. Answer m survives with probability prod_c Phi(margin_c / sigma_c) over its rivals c: margins are moved by the bias, sigma
    comes from the rest, both over 1 + gain; rivals are taken as independent. No change costs exactly nothing.
    Raises DataError without images.
    """

    def __init__(self, seen: Tensor, logits: Tensor, labels: Tensor) -> None:
        if not len(seen) or not len(logits):
            raise DataError("a forecast needs at least one image to calibrate on and one to count answers on; give more images")
        chosen = columns(logits)
        self.width = chosen.shape[1]
        places = chosen == labels[:, None]
        # an image whose label is out of reach is wrong before and after
        self.total, reached = len(logits), places.any(1)
        self.logits = logits.gather(1, chosen)[reached].float()
        self.label = places[reached].int().argmax(1)
        self.right = int((self.logits.argmax(1) == self.label).sum())
        known = seen.gather(1, columns(seen)).double()
        self.known = known - known.mean(1, keepdim=True)
        self.power = self.known.square().sum().clamp(min=1e-30)

    def lost(self, changes: Tensor) -> Floats:
        """float64 [P], right answers lost in percent of the images, for changes [P, N, T]; below 0 where answers should improve."""
        starts = range(0, len(changes), AT_ONCE)
        return np.concatenate([np.zeros(0), *(self._lost(changes[start : start + AT_ONCE]) for start in starts)])

    def _lost(self, changes: Tensor) -> Floats:
        changes = changes.double()
        gain = ((changes * self.known).sum((1, 2)) / self.power)[:, None, None]
        rest = (changes - gain * self.known) / (1 + gain).clamp(min=LEAST_GAIN)
        bias = rest.mean(1, keepdim=True)
        rest = rest - bias
        covariance = rest.transpose(1, 2) @ rest / max(1, len(self.known) - 1)
        moved = self.logits + bias.float()
        row = torch.arange(len(self.label))
        margins = moved[:, row, self.label][..., None] - moved
        power = covariance.diagonal(dim1=1, dim2=2)
        sigma = (power[:, :, None] + power[:, None, :] - 2 * covariance).clamp(min=1e-12).sqrt().float()
        survival = torch.special.ndtr(margins / sigma[:, self.label])
        survival[:, row, self.label] = 1.0
        kept = survival.prod(2).sum(1, dtype=torch.float64)
        lost: Floats = (100 * (self.right - kept) / self.total).numpy()
        return lost
