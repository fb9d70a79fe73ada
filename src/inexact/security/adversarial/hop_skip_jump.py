"""HopSkipJump: along the boundary, with gradients estimated from answers alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, require_range
from inexact.security.adversarial._base import Attack, attacks, distances
from inexact.security.adversarial._target import Images, Target

BLOCK = 1024
"""Images asked for at a time."""
STARTS = 100
HALVINGS = 12
STEPS_BACK = 10


@attacks.register("hop_skip_jump")
@final
@dataclass(frozen=True, kw_only=True)
class HopSkipJump(Attack):
    """Decision-based: starts at noise of another class and walks back along the boundary to the smallest L2 change found. Own code, because
    ART's takes one image at a time and draws its start from a generator that cannot be seeded.

    queries: 100..1000000 an image at most, the search for a start (up to 100) not counted. first: queries of the first estimate; the t-th
    takes first * sqrt(t). spread: least size of the probes around a place, root mean square of pixels; the published radius, the L2 change
    over the number of pixels (spread=0), is below the step of 8-bit activations, where nothing answers.

    Reference: J. Chen, M. Jordan, M. Wainwright, HopSkipJumpAttack, IEEE S&P 2020, arXiv 1904.02144
    """

    queries: int = 1000
    first: int = 50
    spread: float = 0.01
    needs: ClassVar[str] = "decisions"
    bounded: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_range("queries", self.queries, 100, 10**6)
        require_range("first", self.first, 2, 10**5)
        if not 0 <= self.spread <= 1:
            raise SpecError(f"spread must be 0..1, as pixels are, not {self.spread}")

    @property
    def measure(self) -> str:
        """Root of the sum of squares."""
        return "l2"

    @torch.no_grad()
    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """Images for which no start is found stay as they are."""
        walk = _Walk(target, images)
        started = walk.start()
        found = images.pixels.clone()
        if not len(started):
            return found
        walk = _Walk(target, images.part(started[0]))
        spent, turn = HALVINGS, 1
        place = walk.to_boundary(started[1])
        while spent + (cost := int(self.first * math.sqrt(turn)) + STEPS_BACK + HALVINGS) <= self.queries:
            direction = walk.estimate(place, int(self.first * math.sqrt(turn)), self.spread)
            place = walk.to_boundary(walk.step(place, direction, turn))
            spent, turn = spent + cost, turn + 1
        found[started[0]] = place
        return found


@final
class _Walk:
    """Places on the wrong side of the boundary, one an image."""

    def __init__(self, target: Target, images: Images) -> None:
        self.target = target
        self.images = images

    def wrong(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """bool [N]."""
        parts = [self.target(pixels[at : at + BLOCK]).argmax(1) for at in range(0, len(pixels), BLOCK)]
        return torch.cat(parts) != labels

    def start(self) -> tuple[Tensor, Tensor]:
        """Indices of images with a start, and the starts: uniform noise that is classified as something else."""
        result = self.images.pixels.clone()
        left = torch.arange(len(self.images))
        for _ in range(STARTS):
            tried = torch.rand(result[left].shape)
            wrong = self.wrong(tried, self.images.labels[left])
            result[left[wrong]] = tried[wrong]
            left = left[~wrong]
            if not len(left):
                break
        chosen = torch.ones(len(self.images), dtype=torch.bool)
        chosen[left] = False
        return chosen.nonzero()[:, 0], result[chosen]

    def to_boundary(self, place: Tensor) -> Tensor:
        """The nearest wrong place found by bisection on the line to the image."""
        low, high = torch.zeros(len(place)), torch.ones(len(place))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            wrong = self.wrong(self._between(place, middle), self.images.labels)
            high, low = torch.where(wrong, middle, high), torch.where(wrong, low, middle)
        return self._between(place, high)

    def _between(self, place: Tensor, share: Tensor) -> Tensor:
        wide = share[:, None, None, None]
        return torch.where(wide == 1, place, self.images.pixels + (place - self.images.pixels) * wide)

    def estimate(self, place: Tensor, samples: int, spread: float) -> Tensor:
        """Unit direction [N, C, H, W] away from the right answer, from answers at `samples` random places around (equations 12 to 16)."""
        size = place[0].numel()
        away = distances(place - self.images.pixels, "l2")
        radius = (away / size).clamp_min(spread * math.sqrt(size))
        total, share = torch.zeros_like(place), max(1, BLOCK // samples)
        for at in range(0, len(place), share):
            part = slice(at, at + share)
            around = torch.randn(len(place[part]), samples, *place.shape[1:])
            around /= around.flatten(2).norm(dim=2)[:, :, None, None, None]
            tried = (place[part][:, None] + radius[part][:, None, None, None, None] * around).clamp(0, 1)
            around = (tried - place[part][:, None]) / radius[part][:, None, None, None, None]
            answers = self.wrong(tried.flatten(0, 1), self.images.labels[part].repeat_interleave(samples)).reshape(-1, samples)
            signs = answers.float() * 2 - 1
            mean = signs.mean(1, keepdim=True)
            signs = torch.where(mean.abs() == 1, signs, signs - mean)
            total[part] = (signs[:, :, None, None, None] * around).mean(1)
        return total / distances(total, "l2").clamp_min(1e-12)[:, None, None, None]

    def step(self, place: Tensor, direction: Tensor, turn: int) -> Tensor:
        """As far as the image is away over sqrt(turn), halved until the place is wrong; where it never is, it stays."""
        length = distances(place - self.images.pixels, "l2") / math.sqrt(turn)
        result, left = place.clone(), torch.arange(len(place))
        for _ in range(STEPS_BACK):
            tried = (place[left] + length[left][:, None, None, None] * direction[left]).clamp(0, 1)
            wrong = self.wrong(tried, self.images.labels[left])
            result[left[wrong]] = tried[wrong]
            left = left[~wrong]
            if not len(left):
                break
            length = length / 2
        return result
