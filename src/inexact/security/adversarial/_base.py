"""The family of attacks: each looks for small changes of pixels that make a network answer wrongly."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from inexact.core.errors import AttackError, SpecError
from inexact.core.registry import Family, spec_of
from inexact.security.adversarial._packages import package, seeded
from inexact.security.adversarial._target import Images, Target, input_gradients, margins

NORMS = ("linf", "l2")
PROBED = 8
"""Images on which an attack that follows gradients looks whether there are any."""


@dataclass(frozen=True, kw_only=True)
class Adversarial:
    """What an attack made of images.

    pixels: [N, C, H, W] in 0..1; images that were wrong from the start are unchanged. broken: bool [N], wrong after the attack (at any
    distance). queries, backward_passes: a mean over the attacked images. seconds: of the attack.
    """

    pixels: Tensor
    broken: Tensor
    queries: float
    backward_passes: float
    seconds: float


class Attack(ABC):
    """Members are frozen dataclasses with the hook `perturb`.

    needs: "gradients", "scores" (logits only), "decisions" (labels only) or "nothing". bounded: looks within a given epsilon; otherwise for
    the smallest change that does it, and one run answers for every epsilon.
    """

    family_name: ClassVar[str]
    needs: ClassVar[str]
    bounded: ClassVar[bool]

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    @property
    @abstractmethod
    def measure(self) -> str:
        """What epsilon measures: "linf", the largest change of a pixel, or "l2", the root of the sum of squares; pixels are 0..1."""

    @abstractmethod
    def perturb(self, target: Target, images: Images, epsilon: float) -> Tensor:
        """Pixels like those of `images`, all of them classified right before. epsilon: the bound, 0 where there is none."""

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Members with few steps, for tests."""
        return [cls()]

    @final
    def __call__(self, target: Target, images: Images, *, epsilon: float = 0.0, seed: int) -> Adversarial:
        """Attack the images the target classifies right.

        epsilon: above 0, at most 1 (linf) or the root of the number of pixel values (l2); only for bounded attacks. The result is inside
        the box 0..1 and, for those, within epsilon. Raises AttackError for anything else, no images, and missing gradients.
        """
        self.check(images, epsilon)
        if self.needs == "gradients":
            self._check_gradients(target, images)
        right = target.correct(images)
        started, asked, passed = time.perf_counter(), target.queries, target.backward_passes
        pixels = images.pixels.clone()
        if bool(right.any()):
            chosen = images.part(right)
            with seeded(seed):
                found = self.perturb(target, chosen, epsilon).detach().to(torch.float32)
            pixels[right] = self._inside(found, chosen.pixels, epsilon)
        count = max(1, int(right.sum()))
        found_queries, found_passes = (target.queries - asked) / count, (target.backward_passes - passed) / count
        seconds = time.perf_counter() - started
        after = Images(pixels=pixels, labels=images.labels, scaling=images.scaling)
        return Adversarial(
            pixels=pixels, broken=~target.correct(after), queries=found_queries, backward_passes=found_passes, seconds=seconds
        )

    def check(self, images: Images, epsilon: float) -> None:
        """Raise AttackError unless there are images and epsilon is in the range of this attack."""
        if not len(images):
            raise AttackError("there must be at least one image to attack; none came")
        if not self.bounded:
            return
        size = images.pixels[0].numel()
        top, why = (1.0, "pixels are 0..1") if self.measure == "linf" else (math.sqrt(size), f"the root of {size} pixel values")
        if not 0 < epsilon <= top:
            raise AttackError(
                f"epsilon of {self.spec} must be above 0 and at most {top:g} ({why}), not {epsilon:g}; divide grey levels by 255"
            )

    def _check_gradients(self, target: Target, images: Images) -> None:
        few = images.part(torch.arange(min(PROBED, len(images))))
        found = input_gradients(target, few)
        usable = found is not None and bool((torch.isfinite(found) & (found != 0)).any())
        if not usable:
            what = "none" if found is None else f"zero or no number for all of {len(few)} images"
            raise AttackError(
                f"{self.spec} follows gradients, but {target.name} gives {what}: an attack without them would look like robustness; "
                "use the threats white_box or adaptive, or an attack that only asks (square, hop_skip_jump)"
            )

    def _inside(self, found: Tensor, original: Tensor, epsilon: float) -> Tensor:
        """In the box, and within epsilon to the last bit."""
        if not bool(torch.isfinite(found).all()):
            raise AttackError(f"{self.spec} returned pixels that are no numbers: the network's gradients overflow; scale its logits down")
        change = found.clamp(0, 1) - original
        if self.bounded and self.measure == "linf":
            change = change.clamp(-epsilon, epsilon)
        elif self.bounded:
            change = change * (epsilon / distances(change, "l2").clamp_min(epsilon))[:, None, None, None]
        return (original + change).clamp(0, 1)


def distances(change: Tensor, measure: str) -> Tensor:
    """float [N], size of each change under a norm of `NORMS`."""
    flat = change.flatten(1)
    return flat.abs().amax(1) if measure == "linf" else flat.norm(dim=1)


def check_norm(norm: str) -> None:
    """Raise SpecError unless it is one of `NORMS`."""
    if norm not in NORMS:
        raise SpecError(f"norm must be one of {', '.join(NORMS)}, not {norm!r}")


class MarginLoss(nn.Module):
    """Mean margin of logits [N, classes]; labels as indices or, as ART gives them, one-hot."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Scalar."""
        return margins(logits, labels.argmax(1) if labels.dim() == 2 else labels).mean()


def art_classifier(target: Target, images: Images, loss: nn.Module | None = None) -> Any:
    """The target as ART's PyTorchClassifier: pixels 0..1, logits out."""
    classes = int(target(images.pixels[:1]).shape[1])
    make = package("art.estimators.classification").PyTorchClassifier
    shape = tuple(images.pixels.shape[1:])
    return make(target, nn.CrossEntropyLoss() if loss is None else loss, shape, classes, clip_values=(0.0, 1.0), device_type="cpu")


def from_art(method: Any, images: Images) -> Tensor:
    """What an attack of ART makes of the images and their true labels."""
    found = method.generate(images.pixels.numpy(), images.labels.numpy())
    return torch.from_numpy(np.asarray(found, dtype=np.float32))


attacks: Family[Attack] = Family("attack", "inexact.security.adversarial")
