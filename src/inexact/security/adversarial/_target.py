"""A network as an attacker meets it: pixels 0..1 in, logits out, every image counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from inexact.core.errors import AttackError, DataError
from inexact.zoo import Dataset

Scaling = tuple[float, float]
"""(mean, deviation): networks take (pixel - mean) / deviation."""


@dataclass(frozen=True, kw_only=True)
class Images:
    """Labelled images in the units of an attack.

    pixels: float32 [N, C, H, W] in 0..1. labels: int64 [N]. scaling: what a network's input is normalised by.
    """

    pixels: Tensor
    labels: Tensor
    scaling: Scaling

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def part(self, chosen: Tensor) -> Images:
        """Those images a bool [N] or index tensor names."""
        return Images(pixels=self.pixels[chosen], labels=self.labels[chosen], scaling=self.scaling)


def images_of(dataset: Dataset, scaling: Scaling | None = None) -> Images:
    """A data set in pixels 0..1; values within 1e-3 of a code / 255 become exactly that, so that normalising gives the same bits again.

    scaling: for data that do not know their own. Raises AttackError for inputs that are no images, DataError without a scaling and for
    pixels outside 0..1.
    """
    if not dataset.images.dtype.is_floating_point:
        raise AttackError(
            f"attacks change pixels, so inputs must be images [C, H, W] of numbers; {dataset.name!r} has "
            f"{'tokens' if dataset.images.ndim == 2 else 'integers'}: choose another network and data"
        )
    known = dataset.scaling if scaling is None else scaling
    if known is None:
        raise DataError(
            f"epsilon is in pixels 0..1, so the mean and deviation {dataset.name!r} was normalised by must be known: "
            "give --scaling MEAN,DEVIATION"
        )
    mean, deviation = known
    pixels = dataset.images * deviation + mean
    codes = (pixels * 255).round().div_(255)
    pixels = torch.where((pixels - codes).abs() < 1e-3, codes, pixels)
    low, high = float(pixels.min()), float(pixels.max())
    if low < -1e-6 or high > 1 + 1e-6:
        raise DataError(
            f"pixels must be 0..1 when normalisation by {mean:g}, {deviation:g} is undone; they are {low:.3g}..{high:.3g}: give --scaling"
        )
    return Images(pixels=pixels.clamp(0, 1), labels=dataset.labels, scaling=known)


@final
class Target(nn.Module):
    """A network under attack; call it with pixels.

    gives_gradients: False for an attacker who only sees answers. queries, backward_passes: images asked for, and gradients taken, so far.
    """

    def __init__(self, network: nn.Module, scaling: Scaling, *, name: str, gives_gradients: bool = True) -> None:
        super().__init__()
        self.network = network
        self.scaling = scaling
        self.name = name
        self.gives_gradients = gives_gradients
        self.queries = 0
        self.backward_passes = 0
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [N, classes] of pixels [N, C, H, W]."""
        self.queries += len(pixels)
        values = (pixels - self.scaling[0]) / self.scaling[1]
        if not self.gives_gradients:
            with torch.no_grad():
                found: Tensor = self.network(values)
                return found
        logits: Tensor = self.network(values)
        if logits.requires_grad:
            logits.register_hook(self._count)  # type: ignore[no-untyped-call]
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.backward_passes += len(gradient)

    @torch.no_grad()
    def correct(self, images: Images) -> Tensor:
        """bool [N]: which images are classified right."""
        parts = [self(images.pixels[start : start + 250]).argmax(1) for start in range(0, len(images), 250)]
        return torch.cat(parts) == images.labels


def margins(logits: Tensor, labels: Tensor) -> Tensor:
    """[N], the largest logit of another class less that of the label: above zero where the answer is wrong; it never saturates."""
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    return others - own


def input_gradients(target: Target, images: Images) -> Tensor | None:
    """Gradient of the margin for the pixels, [N, C, H, W]; None when the output does not depend on them in a way torch can follow."""
    with torch.enable_grad():
        pixels = images.pixels.clone().requires_grad_()
        margin = margins(target(pixels), images.labels).sum()
        if not margin.requires_grad:
            return None
        (found,) = torch.autograd.grad(margin, pixels, allow_unused=True)
    return found
