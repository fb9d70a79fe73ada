"""Most significant bits first: outputs that look negative from the upper bits of the operands are not finished."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError
from inexact.reduction._base import Prediction, View, Work, lost, reductions, require_share


@reductions.register("msb_prediction")
@final
@dataclass(frozen=True, kw_only=True)
class MsbPrediction(Prediction):
    """Sums of the operands' upper `bits` bits; below a threshold the output is 0, else the lower bits' products are added to them.

    bits: of both operands, fewer than they have. budget: see `Prediction`.
    A multiplication of the upper bits costs bits^2 over the product of the operands' widths of a full one.

    Reference: Y. Lin, C. Sakr, Y. Kim, N. Shanbhag, PredictiveNet, ISCAS 2017, doi:10.1109/ISCAS.2017.8050797; thresholds here by
    quantiles
    """

    integers_only: ClassVar[bool] = True

    bits: int = 4
    budget: float = 0.02

    def __post_init__(self) -> None:
        require_share("budget", self.budget)
        if not 1 <= self.bits < 16:
            raise SpecError(f"bits must be 1..15, not {self.bits!r}")

    @property
    def least_width(self) -> int:
        """One bit below those looked at."""
        return self.bits + 1

    def scores(self, view: View) -> Tensor:
        """Exact sums of the upper bits, in units of full products, with the offset."""
        cut = torch.trunc if view.coding == "sign_magnitude" else torch.floor
        found = torch.zeros(view.result.shape, dtype=torch.float64, device=view.result.device)
        for channels, a in view.windows():
            operands = zip((a, view.weights(channels)), view.zero_points(channels), view.width, strict=True)
            upper_a, upper_b = (
                cut((values + zero).double() * 2.0 ** (self.bits - width)) * 2.0 ** (width - self.bits) - zero
                for values, zero, width in operands
            )
            found[channels] = (upper_a @ upper_b.T).T
        return found + view.offset[:, None]

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """The upper bits' products of all outputs, the others' of those that go on."""
        going = float((self.scores(view) >= threshold[:, None]).double().mean())
        first = self.bits**2 / (view.width[0] * view.width[1])
        share = first + going * (1 - first)
        return Work(multiplications=share, additions=1 + going, time=share, lost=lost(view.result, reduced))
