"""What a recovery may look at in one layer, and what it may change there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from inexact.core.errors import DataError, FormatError
from inexact.nn._modes import answers, error_columns
from inexact.nn._rule import Rule
from inexact.nn._tables import coded_table

if TYPE_CHECKING:
    from inexact.nn._emulation import Emulation


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What a recovery does to one layer, O output channels.

    bias: int64 [O], subtracted from the accumulator. gain: float64 [O], multiplies the rest (part of the requantisation scale).
    column: int32 [2**a_bits], f(a); the sum of f over the window is subtracted from every output of the group.
    factors, coefficients, shift: int32 [R, 2**a_bits], int32 [O, R] and int: of every output,
    `(sum_r coefficients[o, r] * sum_k factors[r, a_k] + 2**(shift-1)) >> shift` is subtracted. codes: int64, weight codes in place of the
    layer's own; None keeps those.
    """

    bias: Tensor
    gain: Tensor
    column: Tensor | None = None
    factors: Tensor | None = None
    coefficients: Tensor | None = None
    shift: int = 0
    codes: Tensor | None = None

    @classmethod
    def neutral(cls, channels: int) -> Correction:
        """The one that changes nothing."""
        return cls(bias=torch.zeros(channels, dtype=torch.int64), gain=torch.ones(channels, dtype=torch.float64))


class Probe:
    """One layer as a recovery sees it: its calibration inputs as codes, its approximate sums, its exact sums.

    a: activation codes as integers in float32, padded. b: weight codes, int64 [O, …]. accumulator: int64, approximate, uncorrected.
    correction: what stages before have decided; their weight codes are in `b` and `accumulator`. x: float32, what entered the layer; a
    recovery that divides channels divides it too. reference: float32, the layer's output in the float32 network for the same inputs; None
    when it is not known. Without calibration inputs `a` and what follows from it raise DataError.
    """

    def __init__(
        self,
        layer: Emulation,
        a: Tensor | None,
        b: Tensor,
        accumulator: Tensor | None,
        *,
        x: Tensor | None = None,
        reference: Tensor | None = None,
        correction: Correction | None = None,
    ) -> None:
        self.layer = layer
        self.b = b
        self.x = x
        self.reference = reference
        self.correction = Correction.neutral(b.shape[0]) if correction is None else correction
        self._a = a
        self._accumulator = accumulator

    @property
    def a(self) -> Tensor:
        """float32 integers, padded activation codes."""
        return self._given(self._a)

    @property
    def accumulator(self) -> Tensor:
        """int64, approximate sums without any correction."""
        return self._given(self._accumulator)

    def _given(self, found: Tensor | None) -> Tensor:
        if found is None:
            raise DataError(f"the recovery of layer {self.layer.name} needs calibration inputs: give data=")
        return found

    @cached_property
    def exact(self) -> Tensor:
        """int64, the exact sums of the layer's own codes, shaped as `accumulator`."""
        return self.layer.true_sums(self.a, self.b).to(torch.int64)

    def target(self, kind: str) -> Tensor:
        """float64, what the sums should be, shaped as `accumulator`: the exact sums ("layer"), or those that give the output of the float32
        network ("network"; the exact ones where that is not known)."""
        if kind == "layer" or self.reference is None:
            return self.exact.double()
        return self.layer.sums_of(self.reference)

    @cached_property
    def sums(self) -> Tensor:
        """int64, approximate sums less the columns of the correction so far."""
        return self.accumulator - self.layer.columns_of(self.a, self.correction).to(torch.int64)

    def after(self, correction: Correction) -> Probe:
        """The probe the next stage sees."""
        found = Probe(self.layer, self._a, self.b, self._accumulator, x=self.x, reference=self.reference, correction=correction)
        if self._accumulator is not None:
            found.exact = self.exact  # the goal stays, whatever the weights become
        if correction.codes is None or correction.codes is self.correction.codes:
            found.correction = replace(correction, codes=self.correction.codes)
        elif self._a is None:
            found.b = correction.codes
        else:
            found.b, found._accumulator = correction.codes, self.layer.approximate_sums(self.a, correction.codes).to(torch.int64)
        return found

    def error_table(self) -> Tensor:
        """int64 [2**a_bits, N], approximate minus exact, by the activation's bit pattern and as `answers` says.

        FormatError for products that are no integers.
        """
        self._with_integers()
        return error_columns(self.layer.rule).to(torch.int64)

    def _with_integers(self) -> Rule:
        rule = self.layer.rule
        if rule.format.system is not None:
            raise FormatError(
                f"errors of {rule.unit.spec} are not integers, which {rule.recovery} needs: take bias_correction, or an integer format"
            )
        return rule

    def product_table(self) -> Tensor:
        """int64 [2**a_bits, 2**b_bits], the unit's answers, indexed by bit pattern. FormatError for products that are no integers."""
        rule = self._with_integers()
        return torch.from_numpy(coded_table(rule.unit.spec, rule.coding, rule.format.b_bits).astype(np.int64))

    def patterns(self) -> Tensor:
        """int64 [O, …], the weights' bit patterns."""
        return torch.bitwise_and(self.b.to(torch.int64), 2**self.layer.rule.format.b_bits - 1)

    def answers(self) -> Tensor:
        """int64 [O, …], the column of `error_table` that each weight runs: its bit pattern, and its mode where weights have modes."""
        return answers(self.layer, self.patterns())

    def renewed(self) -> Probe:
        """The probe of the layer as it computes now, after its modes were changed."""
        sums = None if self._a is None else self.layer.approximate_sums(self._a, self.b).to(torch.int64)
        return Probe(self.layer, self._a, self.b, sums, x=self.x, reference=self.reference, correction=self.correction)

    def by_channel(self, sums: Tensor) -> Tensor:
        """`sums` as [O, outputs of that channel over the calibration set]."""
        return self.layer.channels_first(sums)

    def column_sums(self, column: Tensor) -> Tensor:
        """int64, the window sums of f(a) for every output, broadcastable to `accumulator`."""
        return self.layer.column_sums(self.a, column).to(torch.int64)


Recoverer = Callable[[Probe], Correction]
