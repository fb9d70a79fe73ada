"""Reductions over neighbouring outputs: predicted from those beside them, or not computed and filled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn import functional as F

from inexact.core.errors import SpecError, near
from inexact.reduction._base import Reduction, View, Work, lost, reductions
from inexact.reduction._lanes import LANES, deliveries


@reductions.register("spatial_prediction")
@final
@dataclass(frozen=True, kw_only=True)
class SpatialPrediction(Reduction):
    """Outputs of a chequerboard first; the others are taken for 0 when none of their computed neighbours is positive.

    neighbours: how many of the (up to four) may be positive and the output still be taken for 0.

    Reference: G. Shomron, U. Weiser, Spatial correlation and value prediction in convolutional neural networks, IEEE Computer
    Architecture Letters 18(1), 2019, doi:10.1109/LCA.2018.2890236
    """

    needs_rectifier: ClassVar[bool] = True
    changes: ClassVar[bool] = True
    neighbours: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.neighbours <= 3:
            raise SpecError(f"neighbours must be 0..3, not {self.neighbours!r}")

    def _zero(self, view: View) -> Tensor:
        """Which outputs are taken for 0, [N, O, H, W]."""
        image = view.image(view.result)
        rows, columns = torch.arange(image.shape[2], device=image.device), torch.arange(image.shape[3], device=image.device)
        first = (rows[:, None] + columns) % 2 == 0
        positive = ((image > 0) & first).float()
        cross = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]], device=image.device).expand(image.shape[1], 1, 3, 3)
        around = F.conv2d(positive, cross, padding=1, groups=image.shape[1])
        return ~first & (around <= self.neighbours)

    def reduce(self, view: View, threshold: Tensor) -> Tensor:
        """0 for predicted outputs."""
        return view.flat(view.image(view.result).masked_fill(self._zero(view), 0.0))

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """The share of outputs computed; a comparison for every second output."""
        computed = (~view.flat(self._zero(view))).double()
        share = float(computed.mean())
        a_reads, b_reads = deliveries([computed[channels].T for channels, _ in view.windows()], LANES)
        return Work(
            multiplications=share,
            additions=share,
            time=share,
            checks=0.5 / view_taps(view),
            lost=lost(view.result, reduced),
            a_reads=a_reads,
            b_reads=b_reads,
        )


@reductions.register("output_perforation")
@final
@dataclass(frozen=True, kw_only=True)
class OutputPerforation(Reduction):
    """Some output positions are not computed but filled in from computed ones, before the activation.

    every: one row (or column, or place of both) in so many is left out, 2..16. pattern: "rows", "columns" or "both". fill: "nearest", the
    one before, or "linear", the mean of the two beside (at the edge, of the one).

    Reference: M. Figurnov, A. Ibraimova, D. Vetrov, P. Kohli, PerforatedCNNs, NeurIPS 2016
    """

    changes: ClassVar[bool] = True
    every: int = 3
    pattern: str = "rows"
    fill: str = "nearest"

    def __post_init__(self) -> None:
        patterns, fills = ("rows", "columns", "both"), ("nearest", "linear")
        if not 2 <= self.every <= 16:
            raise SpecError(f"every must be 2..16, not {self.every!r}")
        if self.pattern not in patterns:
            raise SpecError(f"pattern must be one of {', '.join(patterns)}, not {self.pattern!r}{near(str(self.pattern), patterns)}")
        if self.fill not in fills:
            raise SpecError(f"fill must be one of {', '.join(fills)}, not {self.fill!r}{near(str(self.fill), fills)}")

    def _sources(self, view: View) -> Iterator[tuple[int, Tensor]]:
        """(axis, the computed place at or before each place)."""
        image = view.image(view.result)
        for axis, name in ((2, "rows"), (3, "columns")):
            if self.pattern in {name, "both"}:
                place = torch.arange(image.shape[axis], device=image.device)
                yield axis, torch.where(place % self.every == self.every - 1, place - 1, place)

    def reduce(self, view: View, threshold: Tensor) -> Tensor:
        """The result with rows or columns repeated."""
        image = view.image(view.result)
        for axis, source in self._sources(view):
            before = image.index_select(axis, source)
            if self.fill == "linear":
                place = torch.arange(len(source), device=source.device)
                after = torch.where((source < place) & (place + 1 < len(source)), place + 1, source)
                before = (before + image.index_select(axis, after)) / 2
            image = before
        return view.flat(image)

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """The share of positions computed; for each filled in between two, an addition."""
        share = 1.0
        for _, source in self._sources(view):
            share *= len(set(source.tolist())) / len(source)
        added = (1 - share) / view_taps(view) if self.fill == "linear" else 0.0
        return Work(multiplications=share, additions=share, time=share, checks=added, a_reads=share, b_reads=share)


def view_taps(view: View) -> int:
    """Products of one output."""
    return next(a.shape[1] for _, a in view.windows())
