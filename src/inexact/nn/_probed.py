"""What a probe asks of the layer it looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from inexact.nn._rule import Rule

if TYPE_CHECKING:
    from inexact.nn._correction import Correction


class Probed(Protocol):
    """An emulated layer or product, as recoveries see it through a `Probe`. weighted: whether `b` are weights, which may change."""

    name: str
    rule: Rule
    weighted: bool
    a_zero: Tensor

    def true_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, the exact sums of the probe's codes."""

    def approximate_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, the sums of the probe's codes through the unit."""

    def errors(self) -> Tensor:
        """int32 [2**a_bits, N], approximate minus exact product."""

    def answers(self, patterns: Tensor) -> Tensor:
        """int64, columns of `errors` for the weights' bit patterns."""

    def columns_of(self, a: Tensor, correction: Correction) -> Tensor:
        """float64 integers, what the columns of a correction take off every output."""

    def sums_of(self, output: Tensor) -> Tensor:
        """float64, the sums (before any gain) that the requantisation makes an output of."""

    def column_sums(self, a: Tensor, column: Tensor) -> Tensor:
        """float64 integers, the sums of column[a] of every output."""

    def activation_codes(self) -> Tensor:
        """int64 [2**a_bits], the value of every bit pattern of an activation."""

    def weight_codes(self) -> Tensor:
        """int64, the code values a weight may have, ascending."""

    def channels_first(self, values: Tensor) -> Tensor:
        """An output-shaped tensor as [O, everything else]."""
