"""Sums of products on an array with one broken element: what they differ by from those of a whole array, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from inexact.kernels import addition
from inexact.nn import ApproxConv2d, ApproxLayer
from inexact.reliability._array import Placement, Reach
from inexact.reliability._stuck_tables import SUM_BITS, Table

Step = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class StuckSum:
    """A bit of the sum register of the elements in `row` that holds `value`."""

    row: int
    bit: int
    value: int


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """What a broken element adds to the sums of `layer`, which has only the filters that the fault reaches; see `nn.Disturbance`.

    healthy, faulty: tables of products. stuck: the broken sum register, None where products alone are wrong.
    """

    layer: ApproxLayer
    placement: Placement
    reach: Reach
    healthy: Table
    faulty: Table
    stuck: StuckSum | None = None

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, shaped as the output for these padded activation codes and weight codes."""
        layer, groups = self.layer, self.layer.contraction_groups
        planes = layer.arithmetic.a_patterns(a)
        weights = layer.arithmetic.b_patterns(b).long().reshape(groups, b.shape[0] // groups, -1)
        pixels = np.flatnonzero(self.reach.pixels | self.reach.drained)
        parts = []
        for group in range(groups):
            view = _View(layer, planes, group, weights[group], torch.from_numpy(pixels), len(self.reach.pixels))
            whole = torch.zeros(len(a), len(self.reach.pixels), weights.shape[1], dtype=torch.float64)
            whole[:, torch.from_numpy(pixels)] = self._difference(view).reshape(len(a), len(pixels), -1)
            parts.append(whole)
        return _as_output(layer, torch.cat(parts, 2), a)

    def _difference(self, view: _View) -> Tensor:
        """float64 [images x pixels, filters]."""
        if self.layer.rule.sums is not None:
            return self._chained(view)
        if self.stuck is None:
            return self._products(view).double()
        found = self._sums_in_columns(view, self.stuck) if self.placement.sums_travel else self._sums_in_elements(view, self.stuck)
        return found.double()

    def _products(self, view: _View) -> Tensor:
        wrong = torch.from_numpy(self.faulty.astype(np.int64) - self.healthy).to(torch.int32)
        found = view.total(wrong, np.flatnonzero(self.reach.taps)).long()
        return self._kept(view, found, np.abs(wrong.numpy()).max(initial=0) * len(self.placement.fold))

    def _sums_in_columns(self, view: _View, stuck: StuckSum) -> Tensor:
        """Each fold's sum down to the broken element, forced; sums are those of 32 bits, which wrap."""
        table, placement = torch.from_numpy(self.healthy.copy()), self.placement
        folds = int(placement.fold.max()) + 1
        found = torch.zeros((), dtype=torch.int64)
        for fold in range(folds):
            above = np.flatnonzero((placement.fold == fold) & (placement.row_of_tap <= stuck.row))
            partial = view.total(table, above)
            found = found + (_forced(partial, stuck.bit, stuck.value, SUM_BITS).long() - partial)
        return self._kept(view, found, folds << stuck.bit)

    def _kept(self, view: _View, difference: Tensor, most: int) -> Tensor:
        """The difference of sums that are kept in 32 bits; most: a bound on its magnitude, or on that of what it is modulo 2**32."""
        if int(np.abs(self.healthy.astype(np.int64)).max()) * len(self.placement.fold) + most < 2 ** (SUM_BITS - 1):
            return difference
        whole = view.total(torch.from_numpy(self.healthy.copy()), np.arange(len(self.placement.fold))).long()
        return (whole + difference).to(torch.int32).long() - whole

    def _sums_in_elements(self, view: _View, stuck: StuckSum) -> Tensor:
        """Forced from the start and after every product in the broken element, once for sums that pass it on their way out."""
        table, taps = torch.from_numpy(self.healthy.copy()), np.arange(len(self.placement.fold))
        whole = view.total(table, taps)
        running = _forced(torch.zeros_like(whole), stuck.bit, stuck.value, SUM_BITS)
        for tap in taps.tolist():
            running = _forced(running + view.products(table, tap), stuck.bit, stuck.value, SUM_BITS)
        passing = _forced(whole, stuck.bit, stuck.value, SUM_BITS)
        return torch.where(self._own(view), running, passing).long() - whole.long()

    def _own(self, view: _View) -> Tensor:
        """[images x pixels, 1]: whether an output is formed in the broken element; the others only pass it."""
        return torch.from_numpy(self.reach.pixels)[view.pixels].repeat(view.images)[:, None]

    def _chained(self, view: _View) -> Tensor:
        """Through the rule's own accumulator, product by product: sums that saturate or carry wrongly have no shorter way."""
        healthy = _chain(self, view, faulty=False)
        return _chain(self, view, faulty=True).double() - healthy.double()


@final
class _View:
    """Products of one group on some pixels: of weights [N, K], patterns, at `pixels` of every image."""

    def __init__(self, layer: ApproxLayer, planes: Tensor, group: int, weights: Tensor, pixels: Tensor, count: int) -> None:
        self.layer, self.planes, self.group, self.weights, self.pixels, self.count = layer, planes, group, weights, pixels, count
        self.images = len(planes)
        self.everywhere = len(pixels) == count
        self.inside = layer.inside(planes.shape) if layer.skips_padding else None

    def total(self, table: Tensor, taps: np.typing.NDArray[np.int64]) -> Tensor:
        """int32 [images x pixels, N]: sums over some taps, modulo 2**32."""
        found = torch.zeros(self.images * len(self.pixels), len(self.weights), dtype=torch.int32)
        for tap in taps.tolist():
            found += self.products(table, tap)
        return found

    def products(self, table: Tensor, tap: int) -> Tensor:
        """int32 [images x pixels, N]; gated positions give 0."""
        rows = self._at(self.planes, tap).reshape(-1)
        found = F.embedding(rows.int(), table[:, self.weights[:, tap]])
        if self.inside is None:
            return found
        return found * self._at(self.inside.expand(1, self.planes.shape[1], -1, -1), tap).to(torch.int32).repeat(self.images, 1).reshape(
            -1, 1
        )

    def _at(self, planes: Tensor, tap: int) -> Tensor:
        """[images, pixels]: what each output meets at this tap."""
        found = _tap(self.layer, planes, self.group, tap, self.count)
        return found if self.everywhere else found[:, self.pixels]


def _tap(layer: ApproxLayer, planes: Tensor, group: int, tap: int, count: int) -> Tensor:
    if not isinstance(layer, ApproxConv2d):
        return planes.reshape(planes.shape[0], count, -1)[:, :, tap]
    height, width = layer.weight.shape[2:]
    channel, place = divmod(tap, height * width)
    channel += group * layer.weight.shape[1]
    steps = zip(planes.shape[2:], (height, width), divmod(place, width), layer.stride, layer.dilation, strict=True)
    cuts = [slice(at * dilation, size - (taps - 1 - at) * dilation, stride) for size, taps, at, stride, dilation in steps]
    return planes[:, channel, cuts[0], cuts[1]].reshape(len(planes), -1)


def _as_output(layer: ApproxLayer, found: Tensor, a: Tensor) -> Tensor:
    """[images, pixels, filters] as the layer's output."""
    if not isinstance(layer, ApproxConv2d):
        return found.reshape(*a.shape[:-1], -1)
    size = [
        (extent - dilation * (taps - 1) - 1) // stride + 1
        for extent, taps, stride, dilation in zip(a.shape[2:], layer.weight.shape[2:], layer.stride, layer.dilation, strict=True)
    ]
    return found.transpose(1, 2).reshape(len(a), -1, *size)


def _forced(sums: Tensor, bit: int, value: int, bits: int) -> Tensor:
    """Two's complement numbers of so many bits with one bit forced."""
    weight = -(1 << bit) if bit == bits - 1 else 1 << bit
    held = (sums >> bit) & 1
    return sums + (value - held) * weight


def _chain(difference: Difference, view: _View, *, faulty: bool) -> Tensor:
    layer, placement, stuck = difference.layer, difference.placement, difference.stuck if faulty else None
    assert layer.rule.sums is not None
    add, bits = addition(layer.rule.sums.accumulation), layer.rule.sums.width
    tables = [torch.from_numpy(table.copy()) for table in (difference.healthy, difference.faulty)]
    zero = torch.zeros(view.images * len(view.pixels), len(view.weights), dtype=torch.int64)
    own = difference._own(view)

    def product(tap: int) -> Tensor:
        return view.products(tables[int(faulty and difference.reach.taps[tap])], tap).long()

    def stick(sums: Tensor, place: Tensor) -> Tensor:
        return sums if stuck is None else torch.where(place, _forced(sums, stuck.bit, stuck.value, bits), sums)

    if not placement.sums_travel:
        running = stick(zero, own)
        for tap in range(len(placement.fold)):
            running = stick(add(running, product(tap)), own)
        return stick(running, ~own)
    total = zero
    for fold in _folds(placement):
        column = zero
        for row, held in enumerate(fold):
            column = add(column, zero if held is None else product(held))
            if stuck is not None and row == stuck.row:
                column = stick(column, own)
        total = add(total, column)
    return total


def _folds(placement: Placement) -> Iterator[list[int | None]]:
    """The taps of every fold by row of the array; None where a row is idle, which adds a product of 0."""
    for fold in range(int(placement.fold.max()) + 1):
        taps: list[int | None] = [None] * placement.rows
        for tap in np.flatnonzero(placement.fold == fold).tolist():
            taps[int(placement.row_of_tap[tap])] = tap
        yield taps
