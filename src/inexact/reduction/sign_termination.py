"""Early negative termination: a window ends as soon as its sum can only be negative, or is taken for negative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError
from inexact.reduction._base import Prediction, Reduction, View, Work, lost, reductions, require_share
from inexact.reduction._lanes import deliveries, side_by_side

_AT_ONCE = 1 << 23
"""Products held at a time."""


@reductions.register("sign_termination")
@final
@dataclass(frozen=True, kw_only=True)
class SignTermination(Reduction):
    """Weights in an order of their own, positive ones first: a sum that is negative among the negative ones stays so. Exact before ReLU.

    interval: negative products between two looks at the sign. lanes: channels that work side by side and wait for each other.
    Needs activations that are not negative, and products with the sign of the weight.

    Reference: V. Akhlaghi et al., SnaPEA: Predictive early activation for reducing computation in deep convolutional neural networks,
    ISCA 2018, doi:10.1109/ISCA.2018.00061 (exact mode)
    """

    needs_rectifier: ClassVar[bool] = True
    needs_signs: ClassVar[bool] = True
    integers_only: ClassVar[bool] = True
    interval: int = 1
    lanes: int = 16

    def __post_init__(self) -> None:
        if self.interval < 1 or self.lanes < 1:
            raise SpecError(f"interval and lanes must be at least 1, not {self.interval} and {self.lanes}")

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """Products formed, looks at a sign, and the time of the slowest channel of every `lanes`."""
        counts, checks = [], 0.0
        for channels, a in view.windows():
            done, looked = executed(view, a, channels, self.interval)
            counts.append(done.double() / a.shape[1])
            checks += looked / (done.numel() * a.shape[1])
        share = torch.cat(counts, 1)  # [P, O]
        mean, time = float(share.mean()), side_by_side(share, self.lanes)
        a_reads, b_reads = deliveries(counts, self.lanes)
        return Work(multiplications=mean, additions=mean, time=time, checks=checks / len(counts), a_reads=a_reads, b_reads=b_reads)


@reductions.register("speculative_termination")
@final
@dataclass(frozen=True, kw_only=True)
class SpeculativeTermination(Prediction):
    """The `group` largest weights first: when their sum stays below a threshold, the output is taken for negative; the rest as in
    `sign_termination`.

    group: weights looked at first. budget: see `Prediction`. lanes: channels that wait for each other.

    Reference: V. Akhlaghi et al., SnaPEA, ISCA 2018, doi:10.1109/ISCA.2018.00061 (predictive mode; thresholds here by quantiles)
    """

    needs_signs: ClassVar[bool] = True
    integers_only: ClassVar[bool] = True
    group: int = 8
    budget: float = 0.02
    lanes: int = 16

    def __post_init__(self) -> None:
        require_share("budget", self.budget)
        if self.group < 1:
            raise SpecError(f"group must be at least 1, not {self.group}")

    def scores(self, view: View) -> Tensor:
        """Sum of the products of each filter's largest weights, with its offset."""
        found = torch.zeros(view.result.shape, dtype=torch.float64, device=view.result.device)
        for channels, a in view.windows():
            first = view.weights(channels).abs().topk(min(self.group, a.shape[1]), dim=1).indices
            found[channels] = view.partial_sums(a, channels, first).T
        return found + view.offset[:, None]

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """The first products of every window; of those that go on, products until the sign is known."""
        cut, shares = self.scores(view) < threshold[:, None], []
        for channels, a in view.windows():
            done, _ = executed(view, a, channels, 1)
            group = min(self.group, a.shape[1])
            shares.append(torch.where(cut[channels].T, float(group), done.double().clamp(min=group)) / a.shape[1])
        share = torch.cat(shares, 1)
        mean = float(share.mean())
        a_reads, b_reads = deliveries(shares, self.lanes)
        return Work(
            multiplications=mean,
            additions=mean,
            time=side_by_side(share, self.lanes),
            checks=mean,
            lost=lost(view.result, reduced),
            a_reads=a_reads,
            b_reads=b_reads,
        )


def executed(view: View, a: Tensor, channels: slice, interval: int) -> tuple[Tensor, float]:
    """(products formed of every window, int64 [P, O of the group]; looks at a sign): positive weights first, then negative ones by size."""
    b = view.weights(channels)
    # positive (and zero) weights first, in any order; then negative ones, the largest first
    order = torch.where(b < 0, 2e9 + b.double(), 1.0).argsort(dim=1, stable=True)
    negatives = (b < 0).sum(1)
    taps = b.shape[1]
    found = torch.full((a.shape[0], b.shape[0]), taps, dtype=torch.int64, device=a.device)
    looked = 0.0
    place = torch.arange(taps, device=a.device)
    for rows in _rows(a, b):
        products = view.products(a[rows], channels).double()
        sums = products.gather(2, order.expand(len(products), -1, -1)).cumsum(2) + view.offset[channels][:, None]
        since = place - (taps - negatives[:, None]) + 1  # negative products so far, [O, K]
        looks = (since > 0) & (since % interval == 0)
        ended = (sums < 0) & looks
        first = torch.where(ended.any(2), ended.to(torch.uint8).argmax(2) + 1, taps)
        found[rows] = first
        looked += float((looks & (place < first[..., None])).sum())
    return found, looked


def _rows(a: Tensor, b: Tensor) -> list[slice]:
    step = max(1, _AT_ONCE // b.numel())
    return [slice(start, min(len(a), start + step)) for start in range(0, len(a), step)]
