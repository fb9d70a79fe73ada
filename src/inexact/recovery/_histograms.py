"""Histograms of the activation codes a layer meets."""

from __future__ import annotations

import torch
from torch import Tensor

from inexact.nn import Probe


def of_layer(probe: Probe) -> Tensor:
    """float64 [2**a_bits], shares of the bit patterns of all padded activation codes of the layer."""
    found = torch.bincount(_patterns(probe, probe.a).flatten(), minlength=2**probe.layer.rule.format.a_bits)
    return found.double() / found.sum()


def of_channels(probe: Probe) -> Tensor:
    """float64 [C, 2**a_bits], as `of_layer`, for every input channel: the second axis of images, the last of rows."""
    axis = 1 if probe.b.dim() > 2 else -1
    patterns = _patterns(probe, probe.a).movedim(axis, 0).flatten(1)
    size = 2**probe.layer.rule.format.a_bits
    rows = torch.arange(len(patterns), device=patterns.device)[:, None] * size
    found = torch.bincount((patterns + rows).flatten(), minlength=size * len(patterns)).reshape(len(patterns), size)
    return found.double() / patterns.shape[1]


def _patterns(probe: Probe, a: Tensor) -> Tensor:
    return torch.bitwise_and(a.to(torch.int64), 2**probe.layer.rule.format.a_bits - 1)


def mean_errors(probe: Probe, answers: Tensor, errors: Tensor, *, by_channel: bool) -> Tensor:
    """float64, shaped as `answers`: the mean of each weight's errors over the activations it meets.

    answers: int64 [O, …], the column of `errors` (float64 [2**a_bits, N]) that each weight runs. by_channel: with the histogram of its
    input channel, where weights have as many as the layer (not in groups), else with that of the layer.
    """
    if by_channel:
        shares = of_channels(probe)
        if len(shares) == answers.shape[1]:
            channels = torch.arange(len(shares), device=answers.device).reshape(1, -1, *[1] * (answers.dim() - 2))
            return (shares @ errors)[channels, answers]
    return (of_layer(probe) @ errors)[answers]
