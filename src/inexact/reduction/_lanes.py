"""Lanes that work side by side and wait for the slowest of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LANES = 16
"""Channels, or output positions, that one delivery of an operand serves, where a member has no `lanes` of its own."""


def side_by_side(share: Tensor, lanes: int) -> float:
    """Time of lanes that take channels [P, O] side by side and wait for the slowest, as a share of the full time."""
    missing = -share.shape[1] % lanes
    padded = torch.cat([share, share.new_zeros(share.shape[0], missing)], 1) if missing else share
    slowest = padded.reshape(share.shape[0], -1, lanes).amax(2)
    return float(slowest.mean())


def deliveries(shares: Sequence[Tensor], lanes: int) -> tuple[float, float]:
    """(activations, weights) still delivered, as shares, when windows take these shares [P, O of a group] of their products, one group
    of channels a tensor.

    An activation serves `lanes` channels of a group and a weight `lanes` output positions; each is delivered until the last of them ends.
    """
    outputs = sum(share.numel() for share in shares)
    a = sum(side_by_side(share, lanes) * share.numel() for share in shares) / outputs
    b = sum(side_by_side(share.T, lanes) * share.numel() for share in shares) / outputs
    return a, b
