"""Early exits as a dimension of a search: the thresholds of all exits are one gene, pruned to what no other setting beats."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from inexact.core.errors import StudyError
from inexact.explore.pareto import non_dominated, spread
from inexact.nn import Exits, Routes, reach_of

CLOSED = 1.0
WEIGHTS = "exits.safetensors"
"""The file of the trained classifiers beside a plan of a study."""

SETTINGS = 20_000
"""Settings of all thresholds together that are looked at, at most."""

BEYOND = 1.0
"""Points beyond the limit that a setting may lose in the exact network: whoever loses more has no chance."""

PROBES = 8
"""Draws of noise an image when answers lost to noise are counted."""


@dataclass(frozen=True, kw_only=True)
class ExitChoice:
    """One setting of all exits.

    tau: the threshold of each, 1 where one is closed. reach: share of images that come to each classifier, the last being the network's
    own, and lost: points of accuracy, both in the exact 8-bit network. impact: power of noise in the logits, over their own, that loses as
    much.
    """

    tau: tuple[float, ...]
    reach: tuple[float, ...]
    lost: float = 0.0
    impact: float = 0.0

    @property
    def closed(self) -> tuple[bool, ...]:
        """Which exits are closed."""
        return closed_at(self.tau)


@dataclass(frozen=True, kw_only=True)
class ExitSpace:
    """The exits of a network with the settings worth trying, all closed first. after, pool: see `nn.Exits`."""

    after: tuple[str, ...]
    pool: int
    choices: tuple[ExitChoice, ...]

    def exits(self, choice: ExitChoice) -> Exits | None:
        """What a plan holds of a setting; None when all exits are closed."""
        if all(choice.closed):
            return None
        return Exits(after=self.after, tau=choice.tau, pool=self.pool, weights=WEIGHTS)

    def absent(self, choice: ExitChoice) -> frozenset[str]:
        """Layers that a setting does without: the classifiers of closed exits."""
        return frozenset(head(place) for place, closed in enumerate(choice.closed) if closed)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` gives an equal space back."""
        choices = [{"tau": list(c.tau), "reach": list(c.reach), "lost": c.lost, "impact": c.impact} for c in self.choices]
        return {"after": list(self.after), "pool": self.pool, "choices": choices}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """The space `to_json` wrote."""
        choices = (ExitChoice(**{**c, "tau": tuple(c["tau"]), "reach": tuple(c["reach"])}) for c in content["choices"])
        return cls(after=tuple(content["after"]), pool=content["pool"], choices=tuple(choices))


def head(place: int) -> str:
    """The layer that is the classifier of an exit."""
    return f"exits.{place}.linear"


def closed_at(tau: Sequence[float]) -> tuple[bool, ...]:
    """Which exits these thresholds close."""
    return tuple(value >= CLOSED for value in tau)


def settings_of(thresholds: Sequence[float], exits: int) -> list[tuple[float, ...]]:
    """Every combination of thresholds, closed included, all closed first. Raises StudyError for too many."""
    each = sorted({*thresholds, CLOSED}, reverse=True)
    if len(each) ** exits > SETTINGS:
        raise StudyError(
            f"thresholds must leave at most {SETTINGS:,} settings of {exits} exits, but {len(each) - 1} and closed make "
            f"{len(each) ** exits:,}: give fewer --threshold, or train fewer exits"
        )
    return list(itertools.product(each, repeat=exits))


def exit_choices(
    scores: Sequence[Tensor],
    labels: Tensor,
    thresholds: Sequence[float],
    energy: Callable[[tuple[float, ...], tuple[float, ...]], float],
    *,
    max_drop: float,
    keep: int = 12,
    seed: int = 0,
) -> tuple[ExitChoice, ...]:
    """The settings that no other beats in answers lost and energy, at most `keep` of them, all closed first.

    scores: logits [N, classes] of every classifier in the exact 8-bit network, its own last; labels: int64 [N]. energy: of one inference at
    thresholds and the shares that come to each classifier. Settings that lose more than a point beyond `max_drop` are left out.
    """
    found = Routes.of(scores, labels)
    own, noise = found.accuracy(CLOSED), NoiseScale(scores[-1], labels, seed)
    closed, *others = settings_of(thresholds, len(scores) - 1)
    choices = [ExitChoice(tau=closed, reach=(1.0,) * len(scores))]
    for tau in others:
        lost = own - found.accuracy(tau)
        if lost <= max_drop + BEYOND:
            choices.append(ExitChoice(tau=tau, reach=tuple(reach_of(found.shares(tau))), lost=lost, impact=noise.power(lost)))
    rows = [(choice.lost, energy(choice.tau, choice.reach)) for choice in choices]
    front = [int(index) for index in np.flatnonzero(non_dominated(rows)) if index]
    return (choices[0], *(choices[front[i]] for i in spread([rows[index][1] for index in front], keep)))


class NoiseScale:
    """How much Gaussian noise in the logits loses as many answers: what makes early exits and errors of layers comparable to a ranking.

    logits: float32 [N, classes]; labels: int64 [N]. The noise is drawn once, so that answers lost rise evenly with its power.
    """

    POWERS = np.geomspace(1e-5, 1.0, 41)

    def __init__(self, logits: Tensor, labels: Tensor, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        own = (logits - logits.mean(1, keepdim=True)).double().square().sum(1).mean()
        scale = (own / max(1, logits.shape[1] - 1)).sqrt()
        noise = torch.randn(PROBES, *logits.shape, generator=generator, dtype=torch.float64) * scale
        right = float((logits.argmax(1) == labels).double().mean())
        kept = [float(((logits + power**0.5 * noise).argmax(2) == labels).double().mean()) for power in self.POWERS]
        self.lost = np.maximum.accumulate([max(0.0, 100 * (right - share)) for share in kept])

    def power(self, lost: float) -> float:
        """Power over the logits' own at which `lost` points are lost; 0 where nothing is. Beyond those counted in proportion."""
        if lost <= 0:
            return 0.0
        if lost >= self.lost[-1]:
            return float(self.POWERS[-1] * lost / max(self.lost[-1], 1e-9))
        index = int(np.searchsorted(self.lost, lost, side="left"))
        if index == 0:
            return float(self.POWERS[0])
        share = (lost - self.lost[index - 1]) / (self.lost[index] - self.lost[index - 1])
        return float(self.POWERS[index - 1] * (self.POWERS[index] / self.POWERS[index - 1]) ** share)
