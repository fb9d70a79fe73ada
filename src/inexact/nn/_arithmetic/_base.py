"""What differs from one kind of format to another: codes, their bit patterns, and the sums of their products."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.nn._correction import Probe
from inexact.nn._pass_through import pass_through
from inexact.nn._rule import Rule

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation
    from inexact.nn._layer import ApproxLayer


@dataclass(frozen=True, kw_only=True)
class CodeArithmetic(ABC):
    """How codes of a rule's format are multiplied and added. It holds no tensors: tables and scales are the layer's.

    `part` is the layer or product whose codes they are; a: padded activation codes, integers in float32; b: codes of its right operand.
    """

    rule: Rule

    @property
    @abstractmethod
    def compiles(self) -> bool:
        """Whether the compiled layer computes such sums, from `table`."""

    @property
    @abstractmethod
    def step(self) -> float:
        """What one unit of a sum stands for, in products of the operands' scales."""

    @abstractmethod
    def table(self) -> NDArray[np.int32]:
        """int32 [2**a_bits, 2**b_bits], what sums look up; empty where they look up nothing."""

    @abstractmethod
    def a_codes(self, layer: ApproxLayer, x: Tensor) -> Tensor:
        """Codes of the padded input; zero always has one, so that padding first is the same."""

    @abstractmethod
    def b_codes(self, layer: ApproxLayer) -> Tensor:
        """Codes of the weights."""

    @abstractmethod
    def a_patterns(self, a: Tensor) -> Tensor:
        """uint8 bit patterns of activation codes."""

    @abstractmethod
    def b_patterns(self, b: Tensor) -> Tensor:
        """uint8 bit patterns of weight codes."""

    @abstractmethod
    def sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, the sums of products as the planned units form them."""

    @abstractmethod
    def true_sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """float64, the sums of exact products, in the same unit."""

    @abstractmethod
    def outputs(self, layer: ApproxLayer, x: Tensor) -> Tensor:
        """The float32 outputs of a layer by torch operators, on any device: what the compiled layer must equal bit for bit."""

    @abstractmethod
    def quantised(self, layer: ApproxLayer, x: Tensor) -> tuple[Tensor, Tensor]:
        """Input and weight as the layer sees them, with the gradient of the identity where they are not clipped."""


class ScaledArithmetic(CodeArithmetic, ABC):
    """Formats whose codes have one scale a tensor, or a channel of the weights."""

    @final
    def a_codes(self, layer: ApproxLayer, x: Tensor) -> Tensor:
        """By the layer's quantiser."""
        return layer.a_quantiser().quantise(layer.padded(x))

    @final
    def b_codes(self, layer: ApproxLayer) -> Tensor:
        """By the layer's quantiser."""
        return layer.b_quantiser().quantise(layer.weight)

    @final
    def quantised(self, layer: ApproxLayer, x: Tensor) -> tuple[Tensor, Tensor]:
        """By the layer's quantisers."""
        return pass_through(x, layer.a_quantiser()), pass_through(layer.weight, layer.b_quantiser())

    @final
    def outputs(self, layer: ApproxLayer, x: Tensor) -> Tensor:
        """Codes, sums, what broken hardware adds, the recovery at work, requantisation."""
        a, b = self.a_codes(layer, x), self.b_codes(layer)
        # float64 holds every integer here exactly (all are below 2**53, or rounded once) and is scaled in place
        total = self.sums(layer, a, b) if layer.mixture is None else layer.mixture.sums(layer, x, a, b)
        if layer.disturbance is not None:
            total = total + layer.disturbance(a, b)
        if layer.recoverer is not None:
            probe = Probe(layer, a, b, total.to(torch.int64), x=x)
            correction = layer.recoverer(probe)
            layer.correct(correction)
            if correction.codes is not None or layer.modes is not None or layer.divisors is not None:
                a, b = self.a_codes(layer, x if probe.x is None else probe.x), self.b_codes(layer)
                total = self.sums(layer, a, b)
        return layer.finished(total, a)


class IntegerArithmetic(ScaledArithmetic, ABC):
    """Evenly spaced codes, or others that are integers."""

    @property
    @final
    def step(self) -> float:
        """One."""
        return 1.0

    @final
    def a_patterns(self, a: Tensor) -> Tensor:
        """Two's complement where codes are signed."""
        return a.to(torch.uint8) if self.rule.coding != "signed" else twos_complement(a, self.rule.format.a_bits)

    @final
    def b_patterns(self, b: Tensor) -> Tensor:
        """Two's complement."""
        return twos_complement(b, self.rule.format.b_bits)

    @final
    def true_sums(self, part: Emulation, a: Tensor, b: Tensor) -> Tensor:
        """Integers."""
        return part.exact_sums(a, b)


def twos_complement(codes: Tensor, bits: int) -> Tensor:
    """uint8, the lowest bits of integers."""
    return torch.bitwise_and(codes.to(torch.int16), 2**bits - 1).to(torch.uint8)


def without_zero_points(part: Emulation, a: Tensor, b: Tensor, total: Tensor) -> Tensor:
    """`sum (a-za)(b-zb)` of raw sums `total`, float64 integers, which is used up; the correction sums are exact."""
    b_sums = part.right_sums(b)
    if part.rule.coding == "unsigned":  # sum ab - zb sum a - za sum b + K za zb, with zb per tensor or per channel
        zb = part.per_channel(part.b_zero.double().reshape(-1))
        total -= part.window_sums(a) * zb
        b_sums = b_sums - part.depth(a) * zb
    total -= part.a_zero.double() * b_sums
    return total
