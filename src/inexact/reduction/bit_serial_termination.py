"""Bit-serial early negative detection: a window ends at the bit from which its sum can only be negative."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, near
from inexact.reduction._base import Reduction, View, Work, reductions
from inexact.reduction._lanes import deliveries, side_by_side

OPERANDS = ("weight", "activation")


@reductions.register("bit_serial_termination")
@final
@dataclass(frozen=True, kw_only=True)
class BitSerialTermination(Reduction):
    """One operand comes bit by bit, the most significant first; a sum that must end below 0 is not finished. Exact before ReLU.

    operand: "weight": inverted two's complement, w = v 2**(n-1) - sum of v_i 2**i - 1 with v the inverted bits, so that after the first
    bit sums only fall; the -1 of all weights comes last. "activation": n unsigned bits; what the rest can still add is at most
    (2**rest - 1) times the filter's positive weights, a number known beforehand.
    lanes: channels that work side by side and wait for each other. A look at the sign after every bit of every window.
    Needs activations that are not negative, exact products, and processing elements that take this operand bit by bit.

    Reference: D. Lee, S. Kang, K. Choi, ComPEND: Computation pruning through early negative detection for ReLU in a deep neural network
    accelerator, ICS 2018, doi:10.1145/3205289.3205295 (weight); the bound: X. Chen et al., CompRRAE,
    ASP-DAC 2019, doi:10.1145/3287624.3287640
    """

    needs_rectifier: ClassVar[bool] = True
    needs_signs: ClassVar[bool] = True
    integers_only: ClassVar[bool] = True
    exact_units_only: ClassVar[bool] = True
    operand: str = "weight"
    lanes: int = 16

    def __post_init__(self) -> None:
        if self.operand not in OPERANDS:
            raise SpecError(f"operand must be one of {', '.join(OPERANDS)}, not {self.operand!r}{near(self.operand, OPERANDS)}")
        if self.lanes < 1:
            raise SpecError(f"lanes must be at least 1, not {self.lanes}")

    @property
    def serial_operand(self) -> str:
        """The operand that comes bit by bit."""
        return self.operand

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """Bits taken of every window, as a share of the operand's, and a look at the sign for each."""
        bits, shares, taps = view.width[OPERANDS[::-1].index(self.operand)], [], 1
        for channels, a in view.windows():
            taken = self.taken(a, view.weights(channels), view.offset[channels], bits)
            shares.append(taken.double() / bits)
            taps = a.shape[1]
        share = torch.cat(shares, 1)
        mean, (a_reads, b_reads) = float(share.mean()), deliveries(shares, self.lanes)
        reads = {"a_reads": a_reads} if self.operand == "activation" else {"b_reads": b_reads}  # the other operand is there from the first
        time = side_by_side(share, self.lanes)
        return Work(multiplications=mean, additions=mean, time=time, checks=mean * bits / taps, **reads)

    def taken(self, a: Tensor, b: Tensor, offset: Tensor, bits: int) -> Tensor:
        """int64 [P, O]: bits taken of the windows a [P, K] and weights b [O, K] before the sum is known to be negative; all `bits` else."""
        found = torch.full((a.shape[0], b.shape[0]), bits, dtype=torch.int64, device=a.device)
        for count, most in enumerate(self._at_most(a.double(), b.double(), bits), 1):
            found = torch.where((most + offset < 0) & (found == bits), count, found)
        return found

    def _at_most(self, a: Tensor, b: Tensor, bits: int) -> Iterator[Tensor]:
        """After each bit but the last, the most that the sum of products can still become, float64 [P, O]."""
        total = torch.zeros(a.shape[0], b.shape[0], dtype=torch.float64, device=a.device)
        # the bits that come: of the activation as they are, of the weight those of the inverted two's complement, -1 - w
        serial = a if self.operand == "activation" else (-1 - b) % 2**bits
        for place in range(bits - 1, 0, -1):
            plane = (serial // 2**place) % 2 * 2**place
            if self.operand == "activation":
                total = total + plane @ b.T
                yield total + (2**place - 1) * b.clamp(min=0).sum(1)
            else:
                total = total + (a @ plane.T) * (1 if place == bits - 1 else -1)
                yield total
