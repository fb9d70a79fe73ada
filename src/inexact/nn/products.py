"""Products of two activations, as attention forms them: the module that names one, and the module that emulates it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from inexact import kernels
from inexact.core.errors import FormatError, PlanError
from inexact.nn._columns import add_columns, planned_columns, set_columns, weighted_columns
from inexact.nn._correction import Correction, Probe, Recoverer
from inexact.nn._numbers import factors, number_sums
from inexact.nn._output_range import OutputRange
from inexact.nn._rule import Rule
from inexact.nn._sums import matmul
from inexact.nn._tables import code_values, coded_table, error_table
from inexact.precision import Observer, Quantiser, fixed_point, requantise


@final
class Product(nn.Module):
    """`a @ b` of two activations; a network that writes it as this module gives the product a name plans can use."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """[..., M, K] and [..., K, N] to [..., M, N]; leading dimensions broadcast."""
        return torch.matmul(a, b)


@final
class ApproxProduct(nn.Module):
    """A product of two activations on the planned array: `a` on the unit's left, `b` on its right, where other layers hold weights.

    Both operands have one scale and zero point each, calibrated like activations; b is coded as the rule codes weights (symmetric unless
    the coding is "unsigned") in `b_bits`. A recovery sees the product as one output channel: its constant, gain and column are shared by
    all outputs, because no position of a product keeps its meaning from one input to the next.
    """

    table: Tensor
    a_scale: Tensor
    a_zero: Tensor
    b_scale: Tensor
    b_zero: Tensor
    out_scale: Tensor
    out_zero: Tensor
    fold: Tensor
    gain: Tensor
    column: Tensor
    has_control: bool
    control_tables: Tensor
    control_coefficients: Tensor
    control_shift: Tensor
    weighted = False

    def __init__(self, name: str, rule: Rule) -> None:
        super().__init__()
        self.name = name
        self.rule = rule
        self.recoverer: Recoverer | None = None
        self.guard: OutputRange | None = None
        for buffer in ("a_scale", "a_zero", "b_scale", "b_zero", "out_scale", "out_zero"):
            self.register_buffer(buffer, torch.full((), torch.nan))
        self.register_buffer("fold", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("gain", torch.ones(1, dtype=torch.float64))
        self.register_buffer("column", torch.zeros(2**rule.format.a_bits, dtype=torch.int32))
        add_columns(self, planned_columns(rule.recovery).factors, 1, rule.format.a_bits)
        self.register_buffer("table", torch.zeros((0, 0), dtype=torch.int32), persistent=False)
        if rule.format.block is not None:
            raise PlanError(f"{rule.precision} is for Conv2d and Linear layers, not for product {name}: give it another precision")
        if rule.modes != "uniform":
            raise PlanError(f"modes are stored with weights, which product {name} has none of: leave its rule's modes away")
        self.restate(rule)
        self.calibrated = False
        self.has_column = False
        self.register_load_state_dict_post_hook(_refresh)  # type: ignore[no-untyped-call]

    def restate(self, rule: Rule) -> None:
        """Compute by `rule` from now on, of the same format and coding as before; scales and corrections stay."""
        self.rule = rule
        self.factors = None if rule.format.system is None else factors(rule.unit.spec)
        plain = rule.exact or self.factors is not None
        table = np.zeros((0, 0), np.int32) if plain else coded_table(rule.unit.spec, rule.coding, rule.format.b_bits)
        self.table = torch.from_numpy(table.copy()).to(self.a_scale.device)

    def calibrate(self, a: Observer, b: Observer, outputs: Observer) -> None:
        """Fix scales and zero points from what the product saw in float32."""
        chosen = self.rule.format
        found = {"a": chosen.activations(a, self.rule.coding), "b": chosen.right_activations(b, self.rule.coding)}
        for name, quantiser in (*found.items(), ("out", chosen.outputs(outputs))):
            getattr(self, f"{name}_scale").copy_(quantiser.scale)
            getattr(self, f"{name}_zero").copy_(quantiser.zero_point)
        self.calibrated = True

    def correct(self, correction: Correction) -> None:
        """Install a correction for one output channel; it replaces the one before."""
        self.fold.copy_(correction.bias)
        self.gain.copy_(correction.gain)
        self.column.copy_(torch.zeros_like(self.column) if correction.column is None else correction.column)
        self.has_column = bool(self.column.any())
        set_columns(self, correction.factors, correction.coefficients, correction.shift)

    def correction(self) -> Correction:
        """The one installed."""
        found = Correction(bias=self.fold.clone(), gain=self.gain.clone(), column=self.column.clone() if self.has_column else None)
        if not self.has_control:
            return found
        return replace(found, factors=self.control_tables, coefficients=self.control_coefficients, shift=int(self.control_shift))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """float32 [..., M, K] and [..., K, N] to [..., M, N]. Raises FormatError for NaN or infinity, and before calibration."""
        self._check(a, b)
        a_codes, b_codes = self.a_quantiser().quantise(a.detach()), self.b_quantiser().quantise(b.detach())
        with torch.no_grad():
            result = self._emulated(a_codes, b_codes)
            result = result if self.guard is None else self.guard(result)
        if torch.is_grad_enabled() and (a.requires_grad or b.requires_grad):
            smooth = torch.matmul(_pass_through(a, self.a_quantiser()), _pass_through(b, self.b_quantiser()))
            return smooth + (result - smooth).detach()
        return result

    def float_output(self, a: Tensor, b: Tensor) -> Tensor:
        """The product in float32."""
        return torch.matmul(a, b)

    def _emulated(self, a: Tensor, b: Tensor) -> Tensor:
        # float64 holds every integer here exactly: all are below 2**53, or rounded once
        total = self.sums(a, b)
        if self.recoverer is not None:
            self.correct(self.recoverer(Probe(self, a, b[None], total.to(torch.int64))))
        return self.finished(total, a)

    def finished(self, total: Tensor, a: Tensor) -> Tensor:
        """float32 outputs for float64 `total`, the sums of codes whose left operand is a; `total` is used up."""
        if self.has_column or self.has_control:
            total -= self.columns_of(a, self.correction())
        return self.rescaled(total)

    def rescaled(self, total: Tensor) -> Tensor:
        """float32 outputs for some sums whose columns are taken off."""
        total -= self.fold.double()
        unit = 1.0 if self.factors is None else self.factors.step
        scale = self.a_scale.double() * self.b_scale.double() * self.gain * unit
        if not self.rule.format.integer_output:
            return (total * scale).float()
        step = fixed_point(scale / self.out_scale)
        codes = requantise(total.to(torch.int64), step, self.out_zero, 0, 2**self.rule.format.a_bits - 1)
        return (codes - self.out_zero) * self.out_scale

    def sums(self, a: Tensor, b: Tensor) -> Tensor:
        """The sums of codes as the planned units form them: float64 integers."""
        if self.factors is not None:
            return number_sums(self.factors, a, b, self._matrix_product, a.shape[-1])
        return self._exact_sums(a, b) if self.rule.exact else self._approximate_sums(a, b)

    @staticmethod
    def _matrix_product(a: Tensor, b: Tensor, peak: int) -> Tensor:
        """The bound of the sums vouches for float64, whatever the peak."""
        return torch.matmul(a, b)

    def approximate_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, the sums of a probe's codes through the unit: b is [1, ..., K, N], one output channel."""
        return self.sums(a, b[0])

    def _approximate_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """`sum_k U(a, b) - zb sum_k a - za sum_k b + K za zb`, float64 integers."""
        total = matmul(self.rule, self.a_patterns(a), self.b_patterns(b), self.table).double()
        a_zero, b_zero = self.a_zero.double(), self.b_zero.double()
        total -= b_zero * a.sum(-1, keepdim=True, dtype=torch.float64)
        total -= a_zero * (b.sum(-2, keepdim=True, dtype=torch.float64) - a.shape[-1] * b_zero)
        return total

    def _exact_sums(self, a: Tensor, b: Tensor) -> Tensor:
        a_range, b_range = self._a_range(), self._b_range()
        return kernels.exact_matmul(a - self.a_zero, b - self.b_zero, peak=(a_range[1] - a_range[0], b_range[1] - b_range[0]))

    def true_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers `sum_k (a-za)(b-zb)` of a probe's codes: b is [1, ..., K, N], one output channel."""
        if self.factors is None:
            return self._exact_sums(a, b[0])
        exact = factors(self.rule.exact_unit)
        return number_sums(exact, a, b[0], self._matrix_product, a.shape[-1]) * (exact.step / self.factors.step)

    def column_sums(self, a: Tensor, column: Tensor) -> Tensor:
        """float64 integers [..., M, 1], `sum_k f(a_k)`."""
        values = column.to(a.device).double()[self.a_patterns(a).int()]
        return values.sum(-1, keepdim=True)

    def errors(self) -> Tensor:
        """int32 [2**a_bits, 2**b_bits], approximate minus exact product by bit patterns."""
        return torch.from_numpy(error_table(self.rule.unit.spec, self.rule.coding, self.rule.format.b_bits))

    def answers(self, patterns: Tensor) -> Tensor:
        """int64, the patterns themselves."""
        return patterns.long()

    def activation_codes(self) -> Tensor:
        """int64 [2**a_bits], the value of every bit pattern of the left operand."""
        return torch.from_numpy(code_values(self.rule.format.a_bits, signed=self.rule.coding == "signed"))

    def weight_codes(self) -> Tensor:
        """int64, the code values the right operand may have, ascending."""
        return self.b_quantiser().codes()

    def columns_of(self, a: Tensor, correction: Correction) -> Tensor:
        """float64 integers, what the columns of a correction take off every output."""
        total = torch.zeros((), dtype=torch.float64, device=a.device)
        if correction.column is not None:
            total = total + self.column_sums(a, correction.column)
        if correction.factors is not None and correction.coefficients is not None:
            sums = [self.column_sums(a, factor) for factor in correction.factors]
            total = total + weighted_columns(sums, list(correction.coefficients.to(a.device).T), correction.shift)
        return total

    def sums_of(self, output: Tensor) -> Tensor:
        """float64, the sums (before any gain) that the requantisation makes `output` of."""
        unit = 1.0 if self.factors is None else self.factors.step
        return output.double() / (self.a_scale.double() * self.b_scale.double() * unit)

    def channels_first(self, values: Tensor) -> Tensor:
        """An output as [1, everything]."""
        return values.reshape(1, -1)

    def a_patterns(self, a: Tensor) -> Tensor:
        """uint8 bit patterns of codes of the left operand."""
        return torch.bitwise_and(a.to(torch.int16), 2**self.rule.format.a_bits - 1).to(torch.uint8)

    def b_patterns(self, b: Tensor) -> Tensor:
        """uint8 bit patterns of codes of the right operand."""
        return torch.bitwise_and(b.to(torch.int16), 2**self.rule.format.b_bits - 1).to(torch.uint8)

    def _a_range(self) -> tuple[int, int]:
        return _code_range(self.rule.format.a_bits, signed=self.rule.coding == "signed")

    def _b_range(self) -> tuple[int, int]:
        return _code_range(self.rule.format.b_bits, signed=self.rule.coding != "unsigned")

    def a_quantiser(self) -> Quantiser:
        """float32 to codes of the left operand."""
        return Quantiser(self.a_scale, self.a_zero, *self._a_range(), self.rule.format.a_grid)

    def b_quantiser(self) -> Quantiser:
        """float32 to codes of the right operand."""
        return Quantiser(self.b_scale, self.b_zero, *self._b_range(), self.rule.format.b_grid)

    def _check(self, a: Tensor, b: Tensor) -> None:
        if torch.compiler.is_compiling():
            return
        if not self.calibrated:
            raise FormatError(f"product {self.name} must be calibrated: give `calibrate=` to approximate() or load a state dict first")
        for side, values in (("left", a), ("right", b)):
            if not bool(torch.isfinite(values.detach().sum())):
                raise FormatError(
                    f"the {side} operand of product {self.name} must be finite; NaN or infinity came: mask after the product, not before"
                )

    def extra_repr(self) -> str:
        """What the product's line in `print(model)` shows."""
        return f"{self.rule.multiplier}, {self.rule.precision}, {self.rule.coding}, recovery={self.rule.recovery}"


def _code_range(bits: int, *, signed: bool) -> tuple[int, int]:
    return (-(2 ** (bits - 1) - 1), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def _pass_through(values: Tensor, quantiser: Quantiser) -> Tensor:
    """Quantised values whose gradient is one inside the range and zero outside."""
    low, high = quantiser.ends
    clipped = torch.minimum(torch.maximum(values, low), high)
    return clipped + (quantiser.dequantise(quantiser.quantise(values)) - clipped).detach()


def _refresh(module: nn.Module, _incompatible: Any) -> None:
    if isinstance(module, ApproxProduct):
        module.calibrated = all(bool(torch.isfinite(scale)) for scale in (module.a_scale, module.b_scale))
        module.has_column = bool(module.column.any())
