"""Computation reuse by repeated weights: activations that meet the same weight are added before they are multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.reduction._base import Reduction, View, Work, reductions


@reductions.register("weight_reuse")
@final
@dataclass(frozen=True, kw_only=True)
class WeightReuse(Reduction):
    """A filter's sum factored by its distinct weights: one multiplication for each, zero weights left out. Exact with exact multipliers.

    index_bits: of an activation's place within a filter, kept in place of a weight.

    Reference: K. Hegde et al., UCNN: Exploiting computational reuse in deep neural networks via weight repetition, ISCA 2018,
    doi:10.1109/ISCA.2018.00062
    """

    exact_units_only: ClassVar[bool] = True
    index_bits: int = 10

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """A multiplication for every distinct weight of a filter, an addition for every weight that is not 0."""
        distinct = live = total = 0
        for channels, _ in view.windows():
            for row in view.weights(channels) + view.zero_points(channels)[1]:
                distinct += int(torch.unique(row[row != 0]).numel())
                live += int((row != 0).sum())
                total += row.numel()
        weights = (live * self.index_bits + distinct * view.stored_bits) / (view.stored_bits * total)
        return Work(multiplications=distinct / total, additions=live / total, weights=weights)
