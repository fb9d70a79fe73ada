"""What emulated layers and products share: scales and zero points, the arithmetic of the rule, corrections, requantisation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor, nn

from inexact.core.errors import PlanError
from inexact.nn._arithmetic import CodeArithmetic, arithmetic_of
from inexact.nn._columns import add_columns, columns_are_outputs, planned_columns, set_columns, sums_as_outputs, weighted_columns
from inexact.nn._correction import Correction, Recoverer
from inexact.nn._operands import Operands
from inexact.nn._output_range import OutputRange
from inexact.nn._prepared import Cache
from inexact.nn._rule import Rule
from inexact.precision import fixed_point, requantise


class Emulation(Operands, ABC):
    """A layer or product on the planned array.

    Buffers hold the table of the arithmetic, the correction (of `channels` output channels), and the modes of weights.
    weighted: whether b are weights, which a recovery may change.
    """

    table: Tensor
    fold: Tensor
    gain: Tensor
    column: Tensor
    has_control: bool
    control_tables: Tensor
    control_coefficients: Tensor
    control_shift: Tensor
    modes: Tensor | None
    bias: nn.Parameter | None
    arithmetic: CodeArithmetic
    weighted: bool
    takes_blocks = False
    """Whether formats with blocks of channels, and operands too wide for a table, are for emulations of this kind."""

    def __init__(self, name: str, rule: Rule, channels: int, b_shape: tuple[int, ...]) -> None:
        super().__init__(b_shape)
        self.name = name
        self.recoverer: Recoverer | None = None
        self.guard: OutputRange | None = None
        self.calibrated = self.has_column = False
        self.register_buffer("fold", torch.zeros(channels, dtype=torch.int64))
        self.register_buffer("gain", torch.ones(channels, dtype=torch.float64))
        self.register_buffer("column", torch.zeros(2**rule.format.a_bits, dtype=torch.int32))
        add_columns(self, planned_columns(rule.recovery).factors, channels, rule.format.a_bits)
        self.register_buffer("table", torch.zeros((0, 0), dtype=torch.int32), persistent=False)
        if rule.format.block is not None and not self.takes_blocks:
            raise PlanError(f"{rule.precision} is for Conv2d and Linear layers, not for {self.noun} {name}: give it another precision")
        self.register_load_state_dict_post_hook(_refresh)  # type: ignore[no-untyped-call]

    @final
    def restate(self, rule: Rule) -> None:
        """Compute by `rule` from now on, of the same format and coding as before; weights, scales and corrections stay."""
        if rule.wide and not self.takes_blocks:
            raise PlanError(
                f"{rule.unit.spec} is for Conv2d and Linear layers, not for {self.noun} {self.name}: give it operands of at most 8 bits"
            )
        self.rule = rule
        self.arithmetic = arithmetic_of(rule, self.window)
        self.table = torch.from_numpy(self.arithmetic.table().copy()).to(self.a_scale.device)
        self._cache = Cache()

    @final
    def correct(self, correction: Correction) -> None:
        """Install a correction; it replaces the one before. Weights whose codes it does not name stay as they are."""
        self.fold.copy_(correction.bias)
        self.gain.copy_(correction.gain)
        self.column.copy_(torch.zeros_like(self.column) if correction.column is None else correction.column)
        self.has_column = bool(self.column.any())
        set_columns(self, correction.factors, correction.coefficients, correction.shift)
        if correction.codes is not None:
            self.take_codes(correction.codes)

    @final
    def correction(self) -> Correction:
        """The one installed, without weight codes."""
        found = Correction(bias=self.fold.clone(), gain=self.gain.clone(), column=self.column.clone() if self.has_column else None)
        if not self.has_control:
            return found
        return replace(found, factors=self.control_tables, coefficients=self.control_coefficients, shift=int(self.control_shift))

    @final
    def columns_of(self, a: Tensor, correction: Correction) -> Tensor:
        """float64 integers, what the columns of a correction take off every output."""
        total = torch.zeros((), dtype=torch.float64, device=a.device)
        if correction.column is not None:
            total = total + self.column_sums(a, correction.column)
        if correction.factors is not None and correction.coefficients is not None:
            total = total + self._factors_of(a, correction.factors, correction.coefficients, correction.shift)
        return total

    def _factors_of(self, a: Tensor, factors: Tensor, coefficients: Tensor, shift: int) -> Tensor:
        """float64 integers, what columns with coefficients take off every output."""
        if self.takes_blocks and columns_are_outputs(self, factors):
            sums = sums_as_outputs(self, self.arithmetic.a_patterns(a), factors)
        else:
            sums = [self.column_sums(a, factor) for factor in factors]
        return weighted_columns(sums, [self.per_channel(column) for column in coefficients.to(a.device).T], shift)

    @final
    def column_sums(self, a: Tensor, column: Tensor) -> Tensor:
        """float64 integers, `sum_k f(a_k)` of every window; skipped padding adds nothing."""
        plane = column.to(a.device).float()[self.arithmetic.a_patterns(a).int()]
        return self.window_sums(plane * self.inside(a.shape) if self.skips_padding else plane)

    @final
    def finished(self, total: Tensor, a: Tensor) -> Tensor:
        """float32 outputs for float64 `total`, the sums of padded codes a; `total` is used up."""
        if self.has_column or self.has_control:
            total -= self.columns_of(a, self.correction())
        return self.rescaled(total, self.per_channel)

    @final
    def rescaled(self, total: Tensor, spread: Callable[[Tensor], Tensor]) -> Tensor:
        """float32 outputs for some sums without their columns; spread: a constant of every channel, [O] or [1], as those sums need it."""
        total -= spread(self.fold.double())
        scale = self.scale()
        if self.rule.format.integer_output:
            return self._integer_output(total.to(torch.int64), scale, spread)
        total *= spread(scale)
        result = total.float()
        return result if self.bias is None else result.add_(spread(self.bias))

    def _integer_output(self, accumulator: Tensor, scale: Tensor, spread: Callable[[Tensor], Tensor]) -> Tensor:
        if self.bias is not None:
            accumulator = accumulator + spread(torch.round(self.bias / scale).to(torch.int64))
        step = fixed_point(scale / self.out_scale)
        step = type(step)(spread(step.multiplier), spread(step.exponent))
        codes = requantise(accumulator, step, self.out_zero, 0, 2**self.rule.format.a_bits - 1)
        return (codes - self.out_zero) * self.out_scale

    @final
    def scale(self) -> Tensor:
        """float64 [O] or [1], what one unit of the corrected sums stands for."""
        return self.a_scale.double() * self.b_scale.double().reshape(-1) * self.gain * self.arithmetic.step

    @final
    def sums(self, a: Tensor, b: Tensor) -> Tensor:
        """The sums of padded codes as the planned units form them: float64 integers."""
        return self.arithmetic.sums(self, a, b)

    @abstractmethod
    def take_codes(self, codes: Tensor) -> None:
        """Put weight codes in place of the own."""

    @abstractmethod
    def true_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, the exact sums of a probe's codes, in the unit of `approximate_sums`."""

    @abstractmethod
    def approximate_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, the sums of a probe's codes through the unit."""

    @abstractmethod
    def sums_of(self, output: Tensor) -> Tensor:
        """float64, the sums (before any gain) that the requantisation makes `output` of."""


def _refresh(module: nn.Module, _incompatible: Any) -> None:
    if isinstance(module, Emulation):
        module.calibrated = bool(torch.isfinite(module.a_scale)) and bool(torch.isfinite(module.b_scale).all())
        module.has_column = bool(module.column.any())
