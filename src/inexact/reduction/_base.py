"""The family of reductions: what a member sees of a layer, and what it says about the work that is left."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from inexact.core.errors import SpecError
from inexact.core.registry import Family, spec_of


class View(Protocol):
    """One layer on one batch, as a reduction may look at it. O output channels in `groups`, P output positions (batch included), K taps.

    result: float32, what the layer gives without reduction, [O, P]. inputs: what enters it, [N, …], values in codes without zero point,
    float32. offset: float64 [O], what is added to a sum of products before its
    sign is that of the result (bias and correction, in units of products). coding: of the operands; under "unsigned" alone zero points may
    differ from 0, and what the hardware sees as a zero, or as upper bits, is that of the code. width: bits of activation and weight.
    stored_bits: of a weight in memory.
    """

    result: Tensor
    inputs: Tensor
    offset: Tensor
    groups: int
    coding: str
    width: tuple[int, int]
    stored_bits: int

    def windows(self) -> Iterator[tuple[slice, Tensor]]:
        """Group by group: (its output channels, activation values in codes without zero point, float32 [P, K])."""
        ...

    def weights(self, channels: slice) -> Tensor:
        """Weight values in codes without zero point, float32 [O of the group, K]."""
        ...

    def zero_points(self, channels: slice) -> tuple[Tensor, Tensor]:
        """Zero points of activations, [], and of weights, [1, 1] or [O of the group, 1]; a value plus its zero point is the code."""
        ...

    def products(self, a: Tensor, channels: slice) -> Tensor:
        """What the unit makes of some windows [p, K] and the group's weights, float32 [p, O of the group, K]."""
        ...

    def partial_sums(self, a: Tensor, channels: slice, taps: Tensor) -> Tensor:
        """float64 [P, O of the group]: sums of the unit's products of some taps, int64 [O of the group, n], of windows [P, K]."""
        ...

    def outputs(self, sums: Tensor, channels: slice) -> Tensor:
        """What the layer gives for float64 sums of products [O of the group, P], float32."""
        ...

    def image(self, values: Tensor) -> Tensor:
        """[O, P] as [N, O, H, W]."""
        ...

    def flat(self, values: Tensor) -> Tensor:
        """[N, O, H, W] as [O, P]."""
        ...


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a batch still costs, as shares of all products unless said otherwise.

    multiplications, additions: carried out. time: of the array's cycles, lanes waiting for the slowest included. weights: bits of
    the stored weights, with their indices. checks: comparisons or additions a reduction makes itself, for each product of the
    full layer. lost: of the positive outputs, those that became 0. a_reads, b_reads: of the deliveries of activations and of weights
    from their buffers to the array, in bits; one is left out only when every product it serves is. kept_bits: what is kept from one input
    to the next and read and written for it, in bits for each output.
    """

    multiplications: float = 1.0
    additions: float = 1.0
    time: float = 1.0
    weights: float = 1.0
    checks: float = 0.0
    lost: float = 0.0
    a_reads: float = 1.0
    b_reads: float = 1.0
    kept_bits: float = 0.0


class Reduction(ABC):
    """Which products of a layer are left out; members are frozen dataclasses.

    needs_rectifier: whether the output must go to a ReLU and nowhere else. needs_signs: whether products must carry the sign of the weight
    (signed or sign-magnitude coding, activations that are not negative). needs_weight_zero: whether a weight of value 0 must have code 0
    (signed or sign-magnitude coding). skips_zeros: whether products with a zero are not formed. exact_units_only: whether it changes what
    is multiplied, so that an approximate unit would give something else. integers_only: whether it adds products, or reads the bits of
    codes, itself, which it can do with integers.
    """

    family_name: ClassVar[str]
    needs_rectifier: ClassVar[bool] = False
    needs_signs: ClassVar[bool] = False
    needs_weight_zero: ClassVar[bool] = False
    skips_zeros: ClassVar[bool] = False
    exact_units_only: ClassVar[bool] = False
    integers_only: ClassVar[bool] = False

    @property
    def serial_operand(self) -> str:
        """ "activation" or "weight" when processing elements must take that operand bit by bit; "" when any will do."""
        return ""

    @property
    def least_width(self) -> int:
        """Bits that both operands must have at least."""
        return 2

    @property
    def sequence(self) -> int:
        """Successive inputs that belong together when work is counted."""
        return 1

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    def mask(self, weight: Tensor) -> Tensor | None:
        """1 for weights [O, …] that stay and 0 for those left out for good; None when all stay."""
        return None

    changes: ClassVar[bool] = False
    """Whether the output is another one: then every batch goes through `reduce`."""

    def reduce(self, view: View, threshold: Tensor) -> Tensor:
        """The result [O, P] as the hardware gives it. threshold: float64 [O], of a `Prediction`."""
        return view.result

    @abstractmethod
    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """What the batch costs; reduced: what `reduce` gave."""


class Prediction(Reduction):
    """A reduction that sets outputs to 0 that it takes for negative: when a score stays below a threshold.

    budget: share of the positive outputs, of the calibration data and in every channel, that may become 0; the threshold is that quantile
    of their scores.
    """

    needs_rectifier: ClassVar[bool] = True
    changes: ClassVar[bool] = True
    budget: float

    @abstractmethod
    def scores(self, view: View) -> Tensor:
        """float64 [O, P]: what is known of each output when it is judged."""

    def reduce(self, view: View, threshold: Tensor) -> Tensor:
        """0 where the score stays below the threshold."""
        return view.result.masked_fill(self.scores(view) < threshold[:, None], 0.0)

    def thresholds(self, scores: Tensor, result: Tensor) -> Tensor:
        """float64 [O], from scores and results of calibration data [O, P]; a channel without positive outputs is cut at 0."""
        found = []
        for score, positive in zip(scores, result > 0, strict=True):
            kept = score[positive]
            found.append(torch.quantile(kept[: 1 << 22], self.budget, interpolation="lower") if len(kept) else score.new_zeros(()))
        return torch.stack(found)


def require_share(name: str, value: float, *, most: float = 1.0) -> None:
    """Raise SpecError unless 0 <= value <= most."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise SpecError(f"{name} must be a share between 0 and {most:g}, not {value!r}")


def lost(before: Tensor, after: Tensor) -> float:
    """Share of the positive outputs that are 0 afterwards."""
    positive = before > 0
    count = int(positive.sum())
    return float((positive & (after == 0)).sum()) / count if count else 0.0


reductions: Family[Reduction] = Family("reduction", "inexact.reduction")
