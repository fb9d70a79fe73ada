"""Lanes that work side by side and wait for the slowest of them."""

from __future__ import annotations

import torch
from torch import Tensor


def side_by_side(share: Tensor, lanes: int) -> float:
    """Time of lanes that take channels [P, O] side by side and wait for the slowest, as a share of the full time."""
    missing = -share.shape[1] % lanes
    padded = torch.cat([share, share.new_zeros(share.shape[0], missing)], 1) if missing else share
    slowest = padded.reshape(share.shape[0], -1, lanes).amax(2)
    return float(slowest.mean())
