"""Zero skipping and gating: products with a zero operand are not formed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, near
from inexact.reduction._base import Reduction, View, Work, reductions

OPERANDS = ("activation", "weight", "both")

OFFSET_BITS = 4
"""Bits of an operand's place among the 16 of its brick: Cnvlutin's zero-free format."""

DETECTOR = 0.06
"""Additions' worth of finding out whether an 8-bit operand is zero: seven OR gates, 0.26 full adders each, of a 32-bit addition."""


@reductions.register("zero_skipping")
@final
@dataclass(frozen=True, kw_only=True)
class ZeroSkipping(Reduction):
    """Products whose activation, weight, or one of both has code 0 are not formed: exact.

    operand: "activation", "weight" or "both". gate: the element rests for the cycle (energy only): both operands are delivered, of a
    scratchpad's the weight is not read. Otherwise lanes go on to the next product that counts, and each group of `lanes` output positions
    waits for its slowest; zeros are not delivered, and every other operand comes with 4 bits, its place among 16.

    Reference: J. Albericio et al., Cnvlutin, ISCA 2016, doi:10.1109/ISCA.2016.11; gating: Y.-H. Chen et al., Eyeriss, JSSC 52(1), 2017
    """

    skips_zeros: ClassVar[bool] = True
    operand: str = "activation"
    gate: bool = True
    lanes: int = 16

    def __post_init__(self) -> None:
        if self.operand not in OPERANDS:
            raise SpecError(f"operand must be one of {', '.join(OPERANDS)}, not {self.operand!r}{near(str(self.operand), OPERANDS)}")

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """The share of products whose operands are not zero, and a detector at every operand looked at."""
        done = total = waited = 0.0
        live = {"a_reads": [0.0, 0], "b_reads": [0.0, 0]}
        for channels, a in view.windows():
            b = view.weights(channels)
            a_zero, b_zero = view.zero_points(channels)
            live_a = (a + a_zero != 0).float() if self.operand != "weight" else torch.ones_like(a)
            live_b = (b + b_zero != 0).float() if self.operand != "activation" else torch.ones_like(b)
            done += float(live_a.sum(0, dtype=torch.float64) @ live_b.sum(0, dtype=torch.float64))
            total += a.shape[0] * b.numel()
            for name, operand in (("a_reads", live_a), ("b_reads", live_b)):
                live[name][0] += float(operand.sum(dtype=torch.float64))
                live[name][1] += operand.numel()
            if not self.gate:
                waited += _slowest(live_a @ live_b.T, self.lanes)
        share = done / total
        return Work(
            multiplications=share,
            additions=share,
            time=1.0 if self.gate else waited / total,
            checks=DETECTOR * (2 if self.operand == "both" else 1),
            **({} if self.gate else self._delivered(live, view.width)),
        )

    def _delivered(self, live: dict[str, list[float]], width: tuple[int, int]) -> dict[str, float]:
        """Of the operands that are looked at, those that are not zero, each with its place."""
        names = {"activation": ("a_reads",), "weight": ("b_reads",), "both": ("a_reads", "b_reads")}[self.operand]
        bits = dict(zip(("a_reads", "b_reads"), width, strict=True))
        return {name: live[name][0] / live[name][1] * (1 + OFFSET_BITS / bits[name]) for name in names}


def _slowest(counts: Tensor, lanes: int) -> float:
    """Products in the time of lanes that work side by side on `lanes` output positions and wait for each other."""
    missing = -counts.shape[0] % lanes
    padded = torch.cat([counts, counts.new_zeros(missing, counts.shape[1])]) if missing else counts
    slowest = padded.reshape(-1, lanes, counts.shape[1]).amax(1, keepdim=True).expand(-1, lanes, -1).reshape(-1, counts.shape[1])
    return float(slowest[: len(counts)].sum(dtype=torch.float64))
