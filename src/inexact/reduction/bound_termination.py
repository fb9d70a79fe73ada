"""Bounds on the rest of a sum: a window ends when the rest cannot, or hardly can, change what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError
from inexact.reduction._base import Reduction, View, Work, lost, reductions, require_share
from inexact.reduction._lanes import deliveries, side_by_side


class Ended(NamedTuple):
    """bits: int64 [P, O], of the activation taken until the window ended. sums: float64 [P, O], what was accumulated by then, without
    offset. negative: bool [P, O], ended because the sum can only be negative."""

    bits: Tensor
    sums: Tensor
    negative: Tensor


@reductions.register("bound_termination")
@final
@dataclass(frozen=True, kw_only=True)
class BoundTermination(Reduction):
    """Activations come bit by bit, the most significant first; after each bit the rest of a sum lies between two bounds, a number of
    bits times the filter's positive and negative weights. A sum that can only end below 0 gives 0; one whose rest is small against what
    is accumulated gives what is accumulated.

    band: both bounds on the rest are at most `band` times the accumulated sum with its offset, 0..1; 0 ends only windows whose rest is
    nothing or whose sum is negative, which is exact. The error of an output is at most `band` times the output that is given, and no
    positive one becomes 0. lanes: channels that work side by side and wait for each other. Two comparisons after every bit of every window.
    Needs activations that are not negative, exact products, and processing elements that take the activation bit by bit.

    Reference: X. Chen, J. Zhu, J. Jiang, C.-Y. Tsui, CompRRAE: RRAM-based convolutional neural network accelerator with reduced
    computations through a runtime activation estimation, ASP-DAC 2019, doi:10.1145/3287624.3287640, arXiv:1906.03180
    """

    needs_rectifier: ClassVar[bool] = True
    needs_signs: ClassVar[bool] = True
    exact_units_only: ClassVar[bool] = True
    changes: ClassVar[bool] = True
    band: float = 0.1
    lanes: int = 16

    def __post_init__(self) -> None:
        require_share("band", self.band)
        if self.lanes < 1:
            raise SpecError(f"lanes must be at least 1, not {self.lanes}")

    @property
    def serial_operand(self) -> str:
        """The activation comes bit by bit."""
        return "activation"

    def reduce(self, view: View, threshold: Tensor) -> Tensor:
        """0 where a sum can only be negative, what is accumulated where a window ended within the band, the result elsewhere."""
        found = torch.empty_like(view.result)
        for channels, a in view.windows():
            ended = self.ended(a, view.weights(channels), view.offset[channels], view.width[0])
            known = view.outputs(ended.sums.T, channels).masked_fill(ended.negative.T, 0.0)
            whole = ended.bits.eq(view.width[0]).T
            found[channels] = torch.where(whole, view.result[channels], known)
        return found

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """Bits taken of every window, two comparisons for each."""
        bits, taps = view.width[0], 1
        shares = []
        for channels, a in view.windows():
            shares.append(self.ended(a, view.weights(channels), view.offset[channels], bits).bits.double() / bits)
            taps = a.shape[1]
        share = torch.cat(shares, 1)
        mean = float(share.mean())
        return Work(
            multiplications=mean,
            additions=mean,
            time=side_by_side(share, self.lanes),
            checks=2 * mean * bits / taps,
            lost=lost(view.result, reduced),
            a_reads=deliveries(shares, self.lanes)[0],
        )

    def ended(self, a: Tensor, b: Tensor, offset: Tensor, bits: int) -> Ended:
        """When windows a [P, K], not negative, of weights b [O, K] end, and with which sums."""
        a, b = a.double(), b.double()
        positive, negative = b.clamp(min=0).sum(1), b.clamp(max=0).sum(1)
        total = torch.zeros(a.shape[0], b.shape[0], dtype=torch.float64, device=a.device)
        taken = torch.full(total.shape, bits, dtype=torch.int64, device=a.device)
        sums, below = total.clone(), torch.zeros_like(total, dtype=torch.bool)
        for count in range(1, bits + 1):
            place = bits - count
            total = total + ((a // 2**place) % 2 * 2**place) @ b.T
            least, most = (2**place - 1) * negative, (2**place - 1) * positive
            known = total + offset
            dead = known + most < 0
            small = torch.maximum(-least, most) <= self.band * known.abs()
            ends = (taken == bits) & (dead | small) if count < bits else taken == bits
            sums = torch.where(ends, total, sums)
            below |= ends & dead
            taken = torch.where(ends, count, taken)
        return Ended(taken, sums, below)
