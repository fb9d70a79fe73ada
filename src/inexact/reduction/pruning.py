"""Weights left out for good: by magnitude, N of M, or whole filters by significance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError
from inexact.reduction._base import Reduction, View, Work, reductions, require_share
from inexact.reduction._lanes import LANES


@reductions.register("magnitude_pruning")
@final
@dataclass(frozen=True, kw_only=True)
class MagnitudePruning(Reduction):
    """The smallest weights of a layer are zero and their products are not formed; the others carry their position.

    fraction: of the weights that go, 0..1. index_bits: position of a weight that stays, counted from the one before.

    Reference: S. Han, J. Pool, J. Tran, W. Dally, Learning both weights and connections, NeurIPS 2015
    """

    needs_weight_zero: ClassVar[bool] = True
    skips_zeros: ClassVar[bool] = True
    fraction: float = 0.5
    index_bits: int = 4

    def __post_init__(self) -> None:
        require_share("fraction", self.fraction)

    def mask(self, weight: Tensor) -> Tensor:
        """1 for the largest weights of the layer."""
        gone = round(self.fraction * weight.numel())
        flat = torch.ones(weight.numel(), device=weight.device)
        flat[weight.detach().abs().flatten().argsort(stable=True)[:gone]] = 0
        return flat.reshape(weight.shape)

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """Products of the weights that stay, and the time of the fullest filter."""
        return kept(view, self.index_bits, balanced=False)


@reductions.register("structured_sparsity")
@final
@dataclass(frozen=True, kw_only=True)
class StructuredSparsity(Reduction):
    """Of every `m` successive input weights of a filter the `n` largest stay, so that all lanes have the same work.

    n, m: 1 <= n < m. A filter's last group may be short; it keeps its share, rounded up.

    Reference: A. Mishra et al., Accelerating sparse deep neural networks, arXiv:2104.08378, 2021
    """

    needs_weight_zero: ClassVar[bool] = True
    skips_zeros: ClassVar[bool] = True
    n: int = 2
    m: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.n < self.m:
            raise SpecError(f"n must be at least 1 and below m, not {self.n} of {self.m}")

    def mask(self, weight: Tensor) -> Tensor:
        """1 for the n largest of every m, along the flattened filter."""
        rows = weight.detach().abs().reshape(weight.shape[0], -1)
        found = torch.zeros_like(rows)
        for start in range(0, rows.shape[1], self.m):
            part = rows[:, start : start + self.m]
            stays = part.topk(math.ceil(part.shape[1] * self.n / self.m), dim=1).indices
            found[:, start : start + self.m].scatter_(1, stays, 1.0)
        return found.reshape(weight.shape)

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """n of m products, in n of m of the time."""
        return kept(view, math.ceil(math.log2(self.m)), balanced=True)


@reductions.register("filter_pruning")
@final
@dataclass(frozen=True, kw_only=True)
class FilterPruning(Reduction):
    """The filters of least L1 norm are left out: their outputs are the bias.

    fraction: of the filters that go, 0..1.

    Reference: M. A. Hanif, R. Hafiz, M. Shafique, Error resilience analysis for systematically employing approximate computing in
    convolutional neural networks, DATE 2018, doi:10.23919/DATE.2018.8342139 (ranking by significance)
    """

    skips_zeros: ClassVar[bool] = True
    fraction: float = 0.25

    def __post_init__(self) -> None:
        require_share("fraction", self.fraction)

    def mask(self, weight: Tensor) -> Tensor:
        """1 for every weight of the filters that stay."""
        norms = weight.detach().abs().reshape(weight.shape[0], -1).sum(1)
        found = torch.ones_like(weight)
        found[norms.argsort(stable=True)[: round(self.fraction * len(norms))]] = 0
        return found

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """Products of the filters that stay; an activation is delivered once for every `LANES` of them."""
        before = after = 0
        for channels, _ in view.windows():
            rows = view.weights(channels)
            before += math.ceil(len(rows) / LANES)
            after += math.ceil(int((rows != 0).any(1).sum()) / LANES)
        return replace(kept(view, 0, balanced=True), a_reads=after / before)


def kept(view: View, index_bits: int, *, balanced: bool) -> Work:
    """Work of the weights that are not zero, each stored with its index."""
    live = total = longest = 0.0
    for channels, _ in view.windows():
        counts = (view.weights(channels) != 0).sum(1).double()
        live, total = live + float(counts.sum()), total + view.weights(channels).numel()
        longest += float(counts.max()) * len(counts)
    share = live / total
    return Work(
        multiplications=share,
        additions=share,
        time=share if balanced else longest / total,
        weights=share * (view.stored_bits + index_bits) / view.stored_bits,
    )
