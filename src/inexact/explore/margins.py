"""How many right answers a change of the logits costs: the change is seen on few images, the answers are those of many."""

from __future__ import annotations

import math
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
RIDGE = 0.01
"""Of the linear map: added to the power of the logits, as a share of it, so that few images do not overfit it."""
NEAR = 0.05
"""Images to measure changes on are drawn with a density proportional to 1 / (NEAR + share of images that lie closer to the limit)."""
OWN = 0.6
"""Of its own rest an image that is seen has so much; what is left of the variance, 1 - OWN^2, is that of any image."""
AT_ONCE = 32
"""Plans judged together: their margins stay in cache."""


def columns(logits: Tensor) -> Tensor:
    """int64 [N, T], the classes each image is judged by: all of few, in their order; of many the highest, highest first."""
    classes = logits.shape[1]
    if classes <= SHARED:
        return torch.arange(classes).expand(len(logits), -1)
    return logits.topk(RANKS, dim=1).indices


def telling(logits: Tensor, count: int) -> Tensor:
    """int64 [at most count], images [M, C] to measure changes on: dense where the two highest logits lie close together, because answers
    change there first, and thinner the farther they lie apart. Deterministic.
    """
    order, images = _order(logits), len(logits)
    count = min(count, images)
    steps = torch.arange(count)
    share = (steps + 0.5) / max(1, count)
    ranks = (images * NEAR * ((1 + 1 / NEAR) ** share - 1)).long()
    ranks = torch.cummax(ranks - steps, 0).values + steps if count else steps  # each once
    return order[torch.minimum(ranks, images - count + steps)]


def _order(logits: Tensor) -> Tensor:
    highest = logits.topk(min(2, logits.shape[1]), dim=1).values
    return (highest[:, 0] - highest[:, -1]).argsort(stable=True)


def _stands_for(logits: Tensor, seen: Tensor) -> Tensor:
    """float64 [N], how many of the images [M, C] each one seen stands for, by the distance of its two highest logits; they add up to M."""
    rank = _order(logits).argsort()[seen].double()
    ordered, order = rank.sort()
    ends = torch.cat([torch.zeros(1), (ordered[1:] + ordered[:-1] + 1) / 2, torch.full((1,), float(len(logits)))])
    return torch.empty_like(rank).scatter_(0, order, ends.double().diff())


@final
class Margins:
    """Right answers lost under a change of the logits.

    logits: float32 [M, C], of the images answers are counted on. labels: int64 [M]. seen: int64 [N], of them those that changes are
    measured on, best the `telling` ones. A change is [N, T], its entries those of `columns`.

    The change is split into what follows from the logits themselves (a common gain, and a linear map beside it) and the rest, whose
    covariance is kept. Answer m survives with probability prod_c Phi(margin_c / sigma_c) over its rivals c, its margins moved by gain and
    map, sigma that of the rest; rivals are taken as independent. That takes the rest for the same everywhere and for Gaussian. So the sum
    over all images is set right by those seen: each adds, for all it stands for, what its own change does to it, less what was taken for
    granted (the difference estimator of survey sampling). Its rest counts by `OWN`, with as much noise as keeps the variance: the images
    that it stands for have others, and few images must not decide alone. No change costs exactly nothing.
    Reference: C.-E. Saerndal, B. Swensson, J. Wretman, Model Assisted Survey Sampling, Springer 1992, section 6.3.
    Raises DataError without images.
    """

    def __init__(self, logits: Tensor, labels: Tensor, seen: Tensor) -> None:
        if not len(seen) or not len(logits):
            raise DataError("a forecast needs at least one image to calibrate on and one to count answers on; give more images")
        chosen = columns(logits)
        places = chosen == labels[:, None]
        # an image whose label is out of reach is wrong before and after
        self.total, reached = len(logits), places.any(1)
        ordered = logits.gather(1, chosen).float()
        label = places.int().argmax(1)[reached]
        by_label = label.argsort(stable=True)  # one label at a time, so that its rivals need no look-up
        self.label = label[by_label]
        self.features = _explaining(ordered[reached][by_label]).float()
        self.right = int((ordered.argmax(1) == places.int().argmax(1))[reached].sum())
        self.counted = reached[seen]
        self.place = by_label.argsort()[(reached.cumsum(0) - 1)[seen[self.counted]]]
        self.weight = _stands_for(logits, seen)[self.counted]
        self.known = _explaining(ordered[seen])
        self.power = self.known[:, :-1].square().sum().clamp(min=1e-30)
        power = self.known.T @ self.known
        ridge = RIDGE * power.diagonal()[:-1].mean() * torch.eye(len(power), dtype=torch.float64)
        ridge[-1, -1] = 1e-12 * power.diagonal().mean()
        self.solver = torch.linalg.solve(power + ridge, self.known.T)

    def lost(self, changes: Tensor) -> Floats:
        """float64 [P], right answers lost in percent of the images, for changes [P, N, T]; below 0 where answers should improve.

        On one thread: the steps are so small that threads which wait for each other on a busy machine take ten times as long.
        """
        starts, threads = range(0, len(changes), AT_ONCE), torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return np.concatenate([np.zeros(0), *(self._lost(changes[start : start + AT_ONCE]) for start in starts)])
        finally:
            torch.set_num_threads(threads)

    def _lost(self, changes: Tensor) -> Floats:
        rest = changes.double()
        gain = ((rest * self.known[:, :-1]).sum((1, 2)) / self.power)[:, None, None]
        rest = rest - gain * self.known[:, :-1]
        mapped = self.solver @ rest
        rest = rest - self.known @ mapped
        covariance = rest.transpose(1, 2) @ rest / max(1, len(self.known) - 1)
        power = covariance.diagonal(dim1=1, dim2=2)
        scale = math.sqrt(0.5) / (power[:, :, None] + power[:, None, :] - 2 * covariance).clamp(min=1e-12).sqrt()
        moves = torch.cat([mapped[:, :-1] + (1 + gain) * torch.eye(mapped.shape[2]), mapped[:, -1:]], 1)
        taken = self._taken(moves, scale)
        own = self.features[self.place] @ moves.float() + OWN * rest[:, self.counted].float()
        kept = taken.sum(1, dtype=torch.float64) + self._corrected(own, scale, taken[:, self.place])
        lost: Floats = (100 * (self.right - kept) / self.total).numpy()
        return lost

    def _taken(self, moves: Tensor, scale: Tensor) -> Tensor:
        """float32 [P, M], how likely every answer survives when its change is that of any image.

        moves: float64 [P, T + 1, T], what becomes of the logits. scale: float64 [P, T, T], sqrt(1/2) over the spread of differences.
        """
        found, start = [], 0
        for label, count in enumerate(torch.bincount(self.label, minlength=moves.shape[2]).tolist()):
            rivals = [rank for rank in range(moves.shape[2]) if rank != label]
            steps = (moves[:, :, label, None] - moves[:, :, rivals]) * scale[:, label, rivals][:, None]
            # torch computes erf five times as fast as the Gaussian's integral itself
            found.append(torch.erf(self.features[start : start + count] @ steps.float()).add_(1).mul_(0.5).prod(2))
            start += count
        return torch.cat(found, 1)

    def _corrected(self, own: Tensor, scale: Tensor, taken: Tensor) -> Tensor:
        """float64 [P], the answers that those seen add to what was taken for granted. own: float32 [P, N, T], their logits."""
        label = self.label[self.place]
        row = torch.arange(len(label))
        margins = (own[:, row, label][..., None] - own) * (scale / math.sqrt(1 - OWN**2))[:, label].float()
        survival = torch.erf(margins).add_(1).mul_(0.5)
        survival[:, row, label] = 1.0
        return ((survival.prod(2) - taken).double() * self.weight).sum(1)


def _explaining(logits: Tensor) -> Tensor:
    """float64 [N, T + 1], centred logits and one: what a change is explained by."""
    centred = logits.double() - logits.double().mean(1, keepdim=True)
    return torch.cat([centred, torch.ones(len(logits), 1, dtype=torch.float64)], 1)
