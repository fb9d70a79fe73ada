"""Scales, zero points and quantisers of the operands of an emulated layer or product."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from inexact.nn._contracting import Contracting
from inexact.nn._rule import Rule
from inexact.nn._tables import code_values
from inexact.precision import Grid, Observer, Quantiser


class Operands(Contracting, ABC):
    """Both operands and the output, each with a scale and a zero point; those of the right operand may be as many as its channels.

    a_full_range, b_full_range: two's complement codes go down to -2**(bits-1), which no value has but a broken bit can make.
    """

    rule: Rule
    a_scale: Tensor
    a_zero: Tensor
    b_scale: Tensor
    b_zero: Tensor
    out_scale: Tensor
    out_zero: Tensor

    def __init__(self, b_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.a_full_range = self.b_full_range = False
        for buffer in ("a_scale", "a_zero", "out_scale", "out_zero"):
            self.register_buffer(buffer, torch.full((), torch.nan))
        for buffer in ("b_scale", "b_zero"):
            self.register_buffer(buffer, torch.full(b_shape, torch.nan))

    @final
    def range_operand(self, name: str, found: Quantiser) -> None:
        """Fix scale and zero point of operand "a" or "b", or of the output, "out"."""
        getattr(self, f"{name}_scale").copy_(found.scale)
        getattr(self, f"{name}_zero").copy_(found.zero_point)

    @final
    def range_activations(self, inputs: Observer, outputs: Observer) -> None:
        """Fix scale and zero point of inputs and outputs."""
        self.range_operand("a", self.rule.format.activations(inputs, self.rule.coding))
        self.range_operand("out", self.rule.format.outputs(outputs))

    @final
    def activation_codes(self) -> Tensor:
        """int64 [2**a_bits], the value of every bit pattern of an activation."""
        return torch.from_numpy(code_values(self.rule.format.a_bits, signed=self.rule.coding == "signed"))

    @final
    def weight_codes(self) -> Tensor:
        """int64, the code values a weight (or a right operand) may have, ascending."""
        return self.b_quantiser().codes()

    @final
    def a_quantiser(self) -> Quantiser:
        """float32 to activation codes."""
        bits, signed = self.rule.format.a_bits, self.rule.coding == "signed"
        return Quantiser(self.a_scale, self.a_zero, *code_range(bits, signed, full=self.a_full_range), self.a_grid)

    @final
    def b_quantiser(self) -> Quantiser:
        """float32 to weight codes."""
        bits, signed = self.rule.format.b_bits, self.rule.coding != "unsigned"
        return Quantiser(self.b_scale, self.b_zero, *code_range(bits, signed, full=self.b_full_range), self.rule.format.b_grid)

    @property
    @final
    def a_peak(self) -> int:
        """A bound on |a - za| for every activation code: no code is further from the zero point than the code range is wide."""
        low, high = code_range(self.rule.format.a_bits, self.rule.coding == "signed")
        return high - low

    @property
    @final
    def b_peak(self) -> int:
        """A bound on |b - zb| for every code of the right operand."""
        low, high = code_range(self.rule.format.b_bits, self.rule.coding != "unsigned")
        return high - low

    @property
    @abstractmethod
    def a_grid(self) -> Grid | None:
        """The values of activation codes, where they are not evenly spaced."""


def code_range(bits: int, signed: bool, *, full: bool = False) -> tuple[int, int]:
    """The least and the largest code. full: with the pattern that only a broken bit can make."""
    return (-(2 ** (bits - 1) - 1 + full), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
