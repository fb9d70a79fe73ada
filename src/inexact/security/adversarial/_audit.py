"""Are a network's gradients any good? Shares that are zero or no number, and agreement with finite differences of the smoothed network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inexact.security.adversarial._networks import Networks
from inexact.security.adversarial._packages import seeded
from inexact.security.adversarial._randomised import redrawn
from inexact.security.adversarial._sources import adaptive_sources
from inexact.security.adversarial._target import Images, Target, input_gradients, margins

AUDITED = 24
"""Images looked at."""
DIRECTIONS = 16
"""Random directions an image."""
STEP = 0.02
"""Length of a step along every pixel, pixels 0..1: five grey levels, so that 8-bit steps are smoothed out."""


def audit(networks: Networks, name: str, images: Images, seed: int) -> dict[str, Any]:
    """For every source of gradients of one network: shares of images whose gradient is absent, zero or not finite, and `agreement`.

    That is the correlation over images and random directions of +-1 between what the gradient says of a step of `STEP` and what the margin
    does (difference of both sides: the slope of the network smoothed over the step).
    """
    few = images.part(torch.arange(min(AUDITED, len(images))))
    found: dict[str, Any] = {}
    for source, network in adaptive_sources(networks, name):
        label = source.split(",", maxsplit=1)[0]
        if label not in found:  # further starts follow the same gradient
            found[label] = _audited(Target(redrawn(network, seed), images.scaling, name=name), few, seed)
    return {"sources": found, "images": len(few), "directions": DIRECTIONS, "step": STEP}


def _audited(target: Target, images: Images, seed: int) -> dict[str, Any]:
    with seeded(seed):
        gradients = input_gradients(target, images)
        if gradients is None:
            return {"absent": True, "zero": 1.0, "not_finite": 0.0, "agreement": None}
        sizes = gradients.flatten(1).abs().sum(1)
        finite = torch.isfinite(sizes)
        agreement = _agreement(target.network, gradients, images) if bool(finite.all()) else None
    return {
        "absent": False,
        "zero": float((sizes == 0).double().mean()),
        "not_finite": float((~finite).double().mean()),
        "agreement": agreement,
    }


@torch.no_grad()
def _agreement(network: nn.Module, gradients: Tensor, images: Images) -> float | None:
    predicted, measured = [], []
    target = Target(network, images.scaling, name="audit", gives_gradients=False)
    for turn in range(DIRECTIONS):
        direction = torch.randint(0, 2, images.pixels.shape, dtype=torch.float32) * 2 - 1
        ahead, behind = ((images.pixels + sign * STEP * direction).clamp(0, 1) for sign in (1, -1))
        # the same draws on both sides: what members differ by is no slope
        gained, lost = (margins(redrawn(target, turn)(pixels), images.labels) for pixels in (ahead, behind))
        measured.append((gained - lost).double())
        predicted.append((gradients * (ahead - behind)).flatten(1).sum(1).double())
    x, y = torch.stack(predicted).flatten().numpy(), torch.stack(measured).flatten().numpy()
    if x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])
