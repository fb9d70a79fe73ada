"""A few adversarial images as pictures: before, after, and what was changed."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

SHOWN = 3
"""Images of a run that are kept as pictures."""
LARGEST = 3 * 96 * 96
"""Pixel values above which an image is not kept: records are rewritten after every run."""


def pictures(before: Tensor, after: Tensor, wrong: Tensor) -> list[dict[str, Any]]:
    """The first images that were changed and are wrong, as PNG in base64: place, before, after, and the change, grey where there is none.

    before, after: [N, C, H, W] in 0..1, one or three channels. wrong: bool [N].
    """
    changed = (after != before).flatten(1).any(1)
    if before[0].numel() > LARGEST or before.shape[1] not in (1, 3):
        return []
    found = []
    for place in (changed & wrong).nonzero()[:SHOWN, 0].tolist():
        change = after[place] - before[place]
        size = float(change.abs().max())
        shown = {"before": before[place], "after": after[place], "change": 0.5 + change / (2 * size)}
        found.append({"image": place, "largest": size, **{name: _png(values) for name, values in shown.items()}})
    return found


def _png(values: Tensor) -> str:
    codes = (values * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
    target = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(codes[:, :, 0] if codes.shape[2] == 1 else codes)).save(target, "PNG")
    return base64.b64encode(target.getvalue()).decode()
