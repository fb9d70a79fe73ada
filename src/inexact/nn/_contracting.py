"""Which codes meet in one sum: what every kind of emulated layer or product says about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from inexact.core.errors import FormatError
from inexact.nn._rule import Rule


class Contracting(nn.Module, ABC):
    """Sums of products of codes a (left: activations, padded) and b (right: weights, or other activations).

    noun: what messages call it.
    """

    name: str
    rule: Rule
    noun: str

    @property
    @final
    def skips_padding(self) -> bool:
        """Whether padded positions reach no unit."""
        return self.rule.padding == "skipped" and self.pads

    @final
    def depth(self, a: Tensor) -> int:
        """Products of one sum."""
        return a.shape[-1] if self.window is None else self.window

    @property
    @abstractmethod
    def window(self) -> int | None:
        """Products of one sum; None where that differs from input to input."""

    @property
    @abstractmethod
    def pads(self) -> bool:
        """Whether zeros are added around the input."""

    @abstractmethod
    def table_sums(self, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
        """int32 `sum_k table[a, b]` of uint8 patterns, by the rule's accumulator."""

    @abstractmethod
    def exact_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers `sum_k (a-za)(b-zb)`."""

    @abstractmethod
    def contracted(self, a: Tensor, b: Tensor, peak: int) -> Tensor:
        """float64 `sum_k a b` of integers without zero points, exact below 2**53. peak: a bound on |a|."""

    @abstractmethod
    def window_sums(self, plane: Tensor) -> Tensor:
        """float64 sums of a padded plane of integers (float32) over each window, broadcastable to the output; exact."""

    @abstractmethod
    def right_sums(self, b: Tensor) -> Tensor:
        """float64 sums of the codes b of every output, broadcastable to it."""

    @abstractmethod
    def padding_sums(self, weight: Tensor, shape: torch.Size) -> Tensor:
        """float64 sums of a weight-shaped tensor over the padded positions of each window of an input of padded `shape`."""

    @abstractmethod
    def inside(self, shape: torch.Size) -> Tensor:
        """1 inside the image, 0 in the padding, broadcastable to a padded input of that shape."""

    @abstractmethod
    def per_channel(self, values: Tensor) -> Tensor:
        """[O] reshaped to broadcast over the output."""

    @abstractmethod
    def channels_first(self, values: Tensor) -> Tensor:
        """An output-shaped tensor as [O, everything else]."""

    @property
    def contraction_groups(self) -> int:
        """Groups of output channels that see inputs of their own."""
        return 1

    def unrolled(self, a: Tensor) -> Tensor:
        """Padded codes as windows, [P, groups, K] in the order of the flattened weight. FormatError for those without a reduction."""
        raise FormatError(
            f"{self.noun} {self.name} cannot have a reduction: only Conv2d and Linear layers can; leave its rule's reduction away"
        )

    def rolled(self, rows: Tensor, a: Tensor) -> Tensor:
        """Values [P, O] of the windows of padded codes a, as `unrolled` orders them, shaped as the output."""
        return rows
