"""Where inputs leave a network with exits, and the threshold that an accuracy budget allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from inexact.core.errors import DataError, PlanError
from inexact.nn._data import Data, batches, device_of
from inexact.nn.exits import Exits, exits_of

Thresholds = float | tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Routes:
    """What every classifier of a network with exits says about n inputs; the last is the network's own.

    confidence: float64 [n, exits], the largest softmax probability. correct: bool [n, exits + 1].
    """

    confidence: Tensor
    correct: Tensor

    @classmethod
    def of(cls, scores: Sequence[Tensor], labels: Tensor) -> Self:
        """scores: logits [n, classes] of every classifier, the network's own last; labels: int64 [n]."""
        return cls(
            confidence=torch.stack([torch.softmax(found, 1).amax(1).double() for found in scores[:-1]], 1),
            correct=torch.stack([found.argmax(1) == labels for found in scores], 1),
        )

    def stops(self, tau: Thresholds) -> Tensor:
        """int64 [n], the classifier each input leaves at. tau: one for all exits, or one for each."""
        found = torch.full((len(self.correct),), self.confidence.shape[1])
        for place in reversed(range(self.confidence.shape[1])):
            found = torch.where(self.confidence[:, place] > (tau[place] if isinstance(tau, tuple) else tau), place, found)
        return found

    def shares(self, tau: Thresholds) -> list[float]:
        """Share of the inputs that leave at each classifier."""
        counts = torch.bincount(self.stops(tau), minlength=self.correct.shape[1])
        return [count / len(self.correct) for count in counts.tolist()]

    def accuracy(self, tau: Thresholds) -> float:
        """Top-1 in percent with exits."""
        return 100 * float(self.correct.gather(1, self.stops(tau)[:, None]).double().mean())

    def threshold(self, least: float) -> float | None:
        """The smallest of 1000 even steps of tau up to 1 from which on the accuracy stays at `least` percent or above; None when none."""
        found = None
        for step in range(1000, 0, -1):
            if self.accuracy(step / 1000) < least - 1e-9:
                return found
            found = step / 1000
        return found


@torch.no_grad()
def routes(net: nn.Module, data: Data, *, batch_size: int = 250) -> Routes:
    """Ask every classifier of a network with exits, or of its emulation, about labelled data."""
    network = exits_of(net)
    if network is None:
        raise PlanError("routes are those of a network with exits; give it some with nn.with_exits")
    parts = []
    network.eval()
    for inputs, labels in batches(data, batch_size):
        if labels is None:
            raise DataError("exits need labels to be judged: give batches of (inputs, labels)")
        parts.append(Routes.of([found.cpu() for found in network.scores(inputs.to(device_of(net)))], labels))
    if not parts:
        raise DataError("data must hold at least one image; it is empty")
    return Routes(confidence=torch.cat([part.confidence for part in parts]), correct=torch.cat([part.correct for part in parts]))


def settle_exits(net: nn.Module, exits: Exits, data: Data, *, float_top1: float | None = None) -> Routes:
    """Fix the threshold and the shares of inputs that reach each part of the network, both on labelled validation data, in place.

    float_top1: percent, accuracy of the float32 network on the same data, which a budget is counted from.
    Raises PlanError when the budget cannot be met, and says what the best is.
    """
    network, found = exits_of(net), routes(net, data)
    assert network is not None  # `routes` has refused others
    tau = exits.tau if exits.budget is None else _within(found, exits.budget, float_top1)
    assert tau is not None  # `Exits` has one of the two
    network.set_thresholds(tau)
    network.reach.copy_(torch.tensor(reach_of(found.shares(network.thresholds))))
    return found


def reach_of(shares: Sequence[float]) -> list[float]:
    """From the share of inputs that leave at each classifier to the share that comes to it."""
    return [max(0.0, 1 - sum(shares[:place])) for place in range(len(shares))]


def _within(found: Routes, budget: float, float_top1: float | None) -> float:
    if float_top1 is None:
        raise PlanError("a budget of exits must be counted from the float32 network: give float_top1")
    tau = found.threshold(float_top1 - budget)
    if tau is not None:
        return tau
    best = min(((float_top1 - found.accuracy(step / 1000), step / 1000) for step in range(1, 1001)), key=lambda pair: pair[0])
    raise PlanError(
        f"exits must keep the drop on validation data within {budget:g} points of float32, but the best is {best[0]:.2f} points at "
        f"tau = {best[1]:g}, and without exits it is {float_top1 - found.accuracy(1.0):.2f}; raise the budget or change the plan"
    )
