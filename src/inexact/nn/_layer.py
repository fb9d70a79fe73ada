"""What every emulated layer shares: quantisation, the sum of products with its corrections, requantisation, the gradient the rule names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inexact.core.errors import FormatError, PlanError
from inexact.kernels import compiled_layer_serves
from inexact.nn._blocks import AsConvolution, blocked_sums
from inexact.nn._columns import add_columns, planned_columns, set_columns, weighted_columns
from inexact.nn._correction import Correction, Probe, Recoverer
from inexact.nn._mixed import Mixture, mixture_of
from inexact.nn._modes import Part, checked_modes, first_modes, modal_errors, pairs, parts_of
from inexact.nn._numbers import factors, number_patterns, number_sums
from inexact.nn._output_range import OutputRange
from inexact.nn._pass_through import pass_through
from inexact.nn._prepared import Cache, Prepared, prepare
from inexact.nn._reduced import Reducer, check, gate_zeros
from inexact.nn._rule import Rule
from inexact.nn._straight_through import Gradients, straight_through
from inexact.nn._tables import code_values, coded_table, error_table, errors_with
from inexact.nn._wide import wide_sums
from inexact.nn.gradients._attach import slopes_of, with_slopes
from inexact.nn.gradients._contraction import Contraction
from inexact.precision import Block, Observer, Quantiser, fixed_point, requantise

Disturbance = Callable[[Tensor, Tensor], Tensor]
"""float64 integers shaped as the output, from padded activation codes and weight codes."""


class ApproxLayer(nn.Module, ABC):
    """A layer computed as the planned array computes it: float in, float out, integers between.

    Parameters `weight`, `bias` stay in float32 and trainable; buffers hold scales, zero points and the correction.

    disturbance: what hardware that does not work adds to the sums of padded codes. a_full_range, b_full_range: two's complement codes of
    activations or weights go down to -2**(bits-1), which no value has but a broken bit can make.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
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
    modes: Tensor | None
    weighted = True

    def __init__(self, name: str, rule: Rule, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.name = name
        self.rule = rule
        self.recoverer: Recoverer | None = None
        self.disturbance: Disturbance | None = None
        self.a_full_range = self.b_full_range = False
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        channels, a_bits = weight.shape[0], rule.format.a_bits
        b_shape = tuple(channels if size == -1 else size for size in rule.format.scale_shape(weight))
        for buffer in ("a_scale", "a_zero", "out_scale", "out_zero"):
            self.register_buffer(buffer, torch.full((), torch.nan))
        for buffer in ("b_scale", "b_zero"):
            self.register_buffer(buffer, torch.full(b_shape, torch.nan))
        self.register_buffer("fold", torch.zeros(channels, dtype=torch.int64))
        self.register_buffer("gain", torch.ones(channels, dtype=torch.float64))
        self.register_buffer("column", torch.zeros(2**a_bits, dtype=torch.int32))
        add_columns(self, planned_columns(rule.recovery).factors, channels, a_bits)
        self.register_buffer("table", torch.zeros((0, 0), dtype=torch.int32), persistent=False)
        if rule.format.block is not None and not self.takes_blocks:
            raise PlanError(f"{rule.precision} is for Conv2d and Linear layers, not for layer {name}: give it another precision")
        if rule.modes != "uniform" and not self.takes_modes:
            raise PlanError(f"modes of weights are for convolutions and Linear layers, not for layer {name}: leave its rule's modes away")
        self.register_buffer("modes", first_modes(rule.modes, rule.unit.spec, weight))
        self.restate(rule)
        self.calibrated = False
        self.has_column = False
        self._cache = Cache()
        self.mixture: Mixture | None = mixture_of(rule)
        self.reducer: Reducer | None = None
        self.guard: OutputRange | None = None
        if rule.reduction != "none":
            self._reduce()
        self.register_load_state_dict_post_hook(_refresh)  # type: ignore[no-untyped-call]

    def _reduce(self) -> None:
        """Install the rule's reduction: its mask goes into the weights for good, gradients included."""
        self.reducer = Reducer(self.rule.reduction, self.weight.shape[0])
        check(self)
        gate_zeros(self)
        mask = self.reducer.reduction.mask(self.weight)
        if mask is not None:
            with torch.no_grad():
                self.weight.mul_(mask)
            self.weight.register_hook(lambda gradient: gradient * mask.to(gradient.device))  # type: ignore[no-untyped-call]

    def restate(self, rule: Rule) -> None:
        """Compute by `rule` from now on, of the same format and coding as before; weights, scales and corrections stay."""
        self.rule = rule
        if rule.wide and not self.takes_blocks:
            raise PlanError(
                f"{rule.unit.spec} is for Conv2d and Linear layers, not for layer {self.name}: give it operands of at most 8 bits"
            )
        integers = rule.format.system is None and not rule.wide
        self.tabulated = integers and (not rule.exact or _sums_of_table_fit(rule, self.weight[0].numel()))
        self.factors = None if rule.format.system is None else factors(rule.unit.spec)
        table = coded_table(rule.unit.spec, rule.coding, rule.format.b_bits) if self.tabulated else np.zeros((0, 0), np.int32)
        self.table = torch.from_numpy(table.copy()).to(self.weight.device)
        self._cache = Cache()

    def calibrate(self, inputs: Observer, outputs: Observer) -> None:
        """Fix scales and zero points from what the layer saw in float32."""
        self.range_activations(inputs, outputs)
        self.range_weights()
        if self.mixture is not None:
            self.mixture.fit(self, inputs)
        self.calibrated = True

    def range_activations(self, inputs: Observer, outputs: Observer) -> None:
        """Fix scale and zero point of inputs and outputs."""
        a, out = self.rule.format.activations(inputs, self.rule.coding), self.rule.format.outputs(outputs)
        for name, value in (("a_scale", a.scale), ("a_zero", a.zero_point), ("out_scale", out.scale), ("out_zero", out.zero_point)):
            getattr(self, name).copy_(value)

    def range_weights(self) -> None:
        """Fix scale and zero point of the weights from what they are now."""
        b = self.rule.format.weights(self.weight, self.rule.coding)
        self.b_scale.copy_(b.scale)
        self.b_zero.copy_(b.zero_point)

    def correct(self, correction: Correction) -> None:
        """Install a correction; it replaces the one before. Weights whose codes it does not name stay as they are."""
        self.fold.copy_(correction.bias)
        self.gain.copy_(correction.gain)
        self.column.copy_(torch.zeros_like(self.column) if correction.column is None else correction.column)
        self.has_column = bool(self.column.any())
        set_columns(self, correction.factors, correction.coefficients, correction.shift)
        if correction.codes is not None:
            with torch.no_grad():
                chosen = self.b_quantiser().dequantise(correction.codes)
                self.weight.copy_(chosen if self.reducer is None else torch.where(self.weight == 0, 0, chosen))  # left out stays out

    def share_mode(self, code: int) -> None:
        """Run every weight in one mode, whose code is stored once a filter from now on; PlanError for a layer of one mode."""
        rule = self.rule.but(modes="per_filter")
        checked_modes(torch.tensor([code]), None if self.modes is None else torch.zeros(1), rule.unit.spec, self.name)
        found = first_modes("per_filter", rule.unit.spec, self.weight)
        assert found is not None
        self.modes = found.fill_(code)
        self.restate(rule)

    def set_modes(self, modes: Tensor) -> None:
        """Give each weight (or filter) a mode of the rule's unit by its code, shaped as `modes` is; PlanError for anything else."""
        found = checked_modes(modes, self.modes, self.rule.unit.spec, self.name)
        assert self.modes is not None
        self.modes.copy_(found)

    def forward(self, x: Tensor) -> Tensor:
        """The emulated layer; x float32, shaped as the original layer's input. Raises FormatError for NaN or infinity."""
        self._check_calibrated()
        with torch.no_grad():
            prepared = self._prepared() if self._compiles(x) else None
            whole = prepared is not None and prepared.whole
            result = self.compiled(x.detach(), prepared) if prepared and whole else self._emulated(x.detach())
            if self.reducer is not None and self.reducer.changes:
                result = self.reducer.apply_to(self, self.a_quantiser().quantise(x.detach()), result)
            result = result if self.guard is None else self.guard(result)
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            slopes = slopes_of(self)
            return straight_through(self, x, result) if slopes is None else with_slopes(self, x, result, slopes)
        return result

    def _compiles(self, x: Tensor) -> bool:
        plain = self.rule.format.block is None if self.mixture is None else self.mixture.plain
        integers = plain and self.tabulated and self.rule.sums is None and not self.has_control
        undisturbed = self.recoverer is None and self.disturbance is None
        return integers and undisturbed and not torch.compiler.is_compiling() and compiled_layer_serves(x)

    def _prepared(self) -> Prepared:
        scales = (self.a_scale, self.a_zero, self.b_scale, self.b_zero, self.out_scale, self.out_zero)
        sources = (self.weight, *scales, self.fold, self.gain, self.column, *(() if self.modes is None else (self.modes,)))
        return self._cache.get(sources if self.bias is None else (*sources, self.bias), lambda: prepare(self))

    @property
    def skips_padding(self) -> bool:
        """Whether padded positions reach no unit."""
        return self.rule.padding == "skipped" and self.pads

    def padding_errors(self, b: Tensor) -> Tensor:
        """float64, shaped as the weight: the error of each of its codes b (or their bit patterns) with the code of zero."""
        patterns = b.long() & (2**self.rule.format.b_bits - 1)
        if self.rule.modes != "uniform":
            at_zero = self.errors()[int(self.a_zero) & (2**self.rule.format.a_bits - 1)].to(b.device)
        else:
            found = errors_with(int(self.a_zero), self.rule.unit.spec, self.rule.coding, self.rule.format.b_bits)
            at_zero = torch.from_numpy(found).to(b.device)
        return at_zero[self.answers(patterns)].double()

    def errors(self) -> Tensor:
        """int32 [2**a_bits, N], approximate minus exact product; `answers` says which column a weight runs."""
        find = error_table if self.rule.modes == "uniform" else modal_errors
        return torch.from_numpy(find(self.rule.unit.spec, self.rule.coding, self.rule.format.b_bits))

    def answers(self, patterns: Tensor) -> Tensor:
        """int64, shaped as the weight: columns of `errors` for the weights' bit patterns."""
        if self.rule.modes == "uniform" or self.modes is None:
            return patterns.long()
        return pairs(self.modes, patterns, self.rule.format.b_bits)

    def parts(self, patterns: Tensor) -> list[Part]:
        """Tables, and codes into them, whose sums add up to those of the weights' bit patterns."""
        if self.rule.modes == "uniform":
            return [Part(self.table, patterns)]
        return parts_of(self.rule.unit.spec, self.rule.coding, self.rule.format.b_bits, self.answers(patterns))

    def _emulated(self, x: Tensor) -> Tensor:
        """The layer by torch operators, on any device: what `compiled` must equal bit for bit."""
        self._check_finite(x)
        if isinstance(self.rule.format, Block):
            return self._blocked(x, self.rule.format)
        a, b = self.a_codes(x), self.b_codes()
        # float64 holds every integer here exactly (all are below 2**53, or rounded once) and is scaled in place
        total = self.sums(a, b) if self.mixture is None else self.mixture.sums(self, x, a, b)
        if self.disturbance is not None:
            total = total + self.disturbance(a, b)
        if self.recoverer is not None:
            correction = self.recoverer(Probe(self, a, b, total.to(torch.int64), x=x))
            self.correct(correction)
            if correction.codes is not None or self.modes is not None:
                a, b = self.a_codes(x), self.b_codes()
                total = self.sums(a, b)
        return self.finished(total, a)

    def finished(self, total: Tensor, a: Tensor) -> Tensor:
        """float32 outputs for float64 `total`, the sums of padded codes a; `total` is used up."""
        if self.has_column or self.has_control:
            total -= self.columns_of(a, self.correction())
        return self.rescaled(total, self.per_channel)

    def rescaled(self, total: Tensor, spread: Callable[[Tensor], Tensor]) -> Tensor:
        """float32 outputs for some sums without their columns; spread: a constant of every channel, [O] or [1], as those sums need it."""
        total -= spread(self.fold.double())
        scale = self.scale()
        if self.rule.format.integer_output:
            return self._integer_output(total.to(torch.int64), scale, spread)
        total *= spread(scale)
        result = total.float()
        return result if self.bias is None else result.add_(spread(self.bias))

    def _blocked(self, x: Tensor, form: Block) -> Tensor:
        shape = self.as_convolution(self.padded(x))
        result = self.restored_shape(blocked_sums(self, form, shape), x)
        return result if self.bias is None else result + self.per_channel(self.bias)

    def a_codes(self, x: Tensor) -> Tensor:
        """Codes of the padded input; zero always has one, so that padding first is the same."""
        form = self.rule.format
        if not isinstance(form, Block):
            return self.a_quantiser().quantise(self.padded(x))
        shape = self.as_convolution(self.padded(x))
        return form.split(shape.image, shape.groups)[0].reshape(self.padded(x).shape)

    def b_codes(self) -> Tensor:
        """Codes of the weights."""
        form = self.rule.format
        if not isinstance(form, Block):
            return self.b_quantiser().quantise(self.weight)
        return form.split(self.weight)[0]

    def quantised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Input and weight as the layer sees them, with the gradient of the identity where they are not clipped."""
        form = self.rule.format
        if not isinstance(form, Block):
            return pass_through(x, self.a_quantiser()), pass_through(self.weight, self.b_quantiser())
        a = form.restored(x if x.dim() == 4 else x.reshape(-1, x.shape[-1]), self.contraction_groups).reshape(x.shape)
        return x + (a - x).detach(), self.weight + (form.restored(self.weight) - self.weight).detach()

    def scale(self) -> Tensor:
        """float64 [O] or [1], what one unit of the corrected sums stands for."""
        step = 1.0 if self.factors is None else self.factors.step
        return self.a_scale.double() * self.b_scale.double().reshape(-1) * self.gain * step

    def sums(self, a: Tensor, b: Tensor) -> Tensor:
        """The sums of padded codes as the planned units form them: float64 integers."""
        if self.factors is not None:
            return number_sums(self.factors, a, b, self.exact_sums, self.weight[0].numel())
        return self.exact_sums(a, b) if self.rule.exact else self._approximate_sums(a, b)

    def true_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """The sums of padded codes with exact products, in the same unit as `sums`."""
        if self.factors is None:
            return self.exact_sums(a, b)
        exact = factors(self.rule.exact_unit)
        return number_sums(exact, a, b, self.exact_sums, self.weight[0].numel()) * (exact.step / self.factors.step)

    def _integer_output(self, accumulator: Tensor, scale: Tensor, spread: Callable[[Tensor], Tensor]) -> Tensor:
        if self.bias is not None:
            accumulator = accumulator + spread(torch.round(self.bias / scale).to(torch.int64))
        step = fixed_point(scale / self.out_scale)
        step = type(step)(spread(step.multiplier), spread(step.exponent))
        codes = requantise(accumulator, step, self.out_zero, 0, 2**self.rule.format.a_bits - 1)
        return (codes - self.out_zero) * self.out_scale

    def approximate_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 integers, the sums of a probe's codes through the unit."""
        return self.sums(a, b)

    def _approximate_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """`sum (a-za)(b-zb)` with the products through unit and accumulator, float64 integers; the correction sums are exact."""
        total = wide_sums(self, a, b) if self.rule.wide else self._looked_up(a, b)
        b_sums = b.double().reshape(b.shape[0], -1).sum(1)
        if self.rule.coding == "unsigned":  # sum ab - zb sum a - za sum b + K za zb, with zb per tensor or per channel
            zb = self.b_zero.double().reshape(-1).expand(b.shape[0])
            total -= self.window_sums(a) * self.per_channel(zb)
            b_sums = b_sums - b[0].numel() * zb
        total -= self.per_channel(self.a_zero.double() * b_sums)
        if self.skips_padding:
            total -= self.padding_sums(self.padding_errors(b), a.shape)
        return total

    def _looked_up(self, a: Tensor, b: Tensor) -> Tensor:
        activations = self.a_patterns(a)
        first, *more = self.parts(self.b_patterns(b))
        total = self.table_sums(activations, first.codes, first.table).double()
        for part in more:
            total += self.table_sums(activations, part.codes, part.table)
        return total

    def a_patterns(self, a: Tensor) -> Tensor:
        """uint8 bit patterns of activation codes."""
        if self.rule.format.system is not None:
            return number_patterns(self.rule.format.system, a)
        if self.rule.coding != "signed":
            return a.to(torch.uint8)
        return torch.bitwise_and(a.to(torch.int16), 2**self.rule.format.a_bits - 1).to(torch.uint8)

    def b_patterns(self, b: Tensor) -> Tensor:
        """uint8 bit patterns of weight codes."""
        if self.rule.format.system is not None:
            return number_patterns(self.rule.format.system, b)
        return torch.bitwise_and(b.to(torch.int16), 2**self.rule.format.b_bits - 1).to(torch.uint8)

    def column_sums(self, a: Tensor, column: Tensor) -> Tensor:
        """float64 integers, `sum_k f(a_k)` of every window; skipped padding adds nothing."""
        plane = column.to(a.device).float()[self.a_patterns(a).int()]
        if self.skips_padding:
            plane = plane * self.inside(a.shape)
        return self.window_sums(plane)

    def columns_of(self, a: Tensor, correction: Correction) -> Tensor:
        """float64 integers, what the columns of a correction take off every output."""
        total = torch.zeros((), dtype=torch.float64, device=a.device)
        if correction.column is not None:
            total = total + self.column_sums(a, correction.column)
        if correction.factors is not None and correction.coefficients is not None:
            total = total + self.factors_of(a, correction.factors, correction.coefficients, correction.shift)
        return total

    def factors_of(self, a: Tensor, factors: Tensor, coefficients: Tensor, shift: int) -> Tensor:
        """float64 integers, what columns with coefficients take off every output."""
        sums = [self.column_sums(a, factor) for factor in factors]
        return weighted_columns(sums, [self.per_channel(column) for column in coefficients.to(a.device).T], shift)

    def correction(self) -> Correction:
        """The one installed, without weight codes."""
        found = Correction(bias=self.fold.clone(), gain=self.gain.clone(), column=self.column.clone() if self.has_column else None)
        if not self.has_control:
            return found
        return replace(found, factors=self.control_tables, coefficients=self.control_coefficients, shift=int(self.control_shift))

    def activation_codes(self) -> Tensor:
        """int64 [2**a_bits], the value of every bit pattern of an activation."""
        return torch.from_numpy(code_values(self.rule.format.a_bits, signed=self.rule.coding == "signed"))

    def weight_codes(self) -> Tensor:
        """int64, the code values a weight may have, ascending."""
        return self.b_quantiser().codes()

    def probe(self) -> Probe:
        """The layer as a recovery that needs no calibration inputs sees it."""
        return Probe(self, None, self.b_codes().detach(), None)

    def sums_of(self, output: Tensor) -> Tensor:
        """float64, the sums (before any gain) that the requantisation makes `output` of."""
        sums = output.double() if self.bias is None else output.double() - self.per_channel(self.bias.detach().double())
        return sums / self.per_channel(self.scale() / self.gain)

    def a_quantiser(self) -> Quantiser:
        """float32 to activation codes."""
        bits, signed = self.rule.format.a_bits, self.rule.coding == "signed"
        return Quantiser(
            self.a_scale,
            self.a_zero,
            *_code_range(bits, signed, full=self.a_full_range),
            self.rule.format.a_grid if self.mixture is None else self.mixture.grid,
        )

    def b_quantiser(self) -> Quantiser:
        """float32 to weight codes."""
        bits, signed = self.rule.format.b_bits, self.rule.coding != "unsigned"
        return Quantiser(self.b_scale, self.b_zero, *_code_range(bits, signed, full=self.b_full_range), self.rule.format.b_grid)

    def _check_calibrated(self) -> None:
        if not self.calibrated:
            raise FormatError(f"layer {self.name} must be calibrated: give `calibrate=` to approximate() or load a state dict first")

    def _check_finite(self, x: Tensor) -> None:
        if not torch.compiler.is_compiling() and not bool(
            torch.isfinite(x.sum(dtype=torch.float64))
        ):  # one pass: a sum is finite only if every term is
            raise FormatError(
                f"activations entering layer {self.name} must be finite; NaN or infinity came: check the input and the weights before it"
            )

    def float_output(self, x: Tensor) -> Tensor:
        """The original layer in float32."""
        return self.float_layer(x, self.weight)

    @property
    def a_peak(self) -> int:
        """A bound on |a - za| for every activation code: no code is further from the zero point than the code range is wide."""
        low, high = _code_range(self.rule.format.a_bits, self.rule.coding == "signed")
        return high - low

    def extra_repr(self) -> str:
        """What the layer's line in `print(model)` shows."""
        sums = "" if self.rule.sums is None else f", {self.rule.accumulator}"
        return f"{self.rule.multiplier}, {self.rule.precision}, {self.rule.coding}, recovery={self.rule.recovery}{sums}"

    @property
    @abstractmethod
    def pads(self) -> bool:
        """Whether zeros are added around the input."""

    @abstractmethod
    def padded(self, x: Tensor) -> Tensor:
        """x with the layer's padding."""

    @abstractmethod
    def compiled(self, x: Tensor, prepared: Prepared) -> Tensor:
        """The layer by the compiled core, float32 like x."""

    @property
    def has_image(self) -> bool:
        """Whether the input has rows and columns."""
        return False

    @property
    def contraction_groups(self) -> int:
        """Groups of output channels that see inputs of their own."""
        return 1

    def rolled(self, rows: Tensor, a: Tensor) -> Tensor:
        """Values [P, O] of the windows of padded codes a, as `unrolled` orders them, shaped as the output."""
        return rows

    def unrolled(self, a: Tensor) -> Tensor:
        """Padded codes as windows, [P, groups, K] in the order of the flattened weight. FormatError for layers without a reduction."""
        raise FormatError(f"layer {self.name} cannot have a reduction: only Conv2d and Linear layers can; leave its rule's reduction away")

    takes_blocks = False
    """Whether formats with blocks of channels are for layers of this kind; then `as_convolution` and `restored_shape` are there."""

    def as_convolution(self, padded: Tensor) -> AsConvolution:
        """A padded input and the weight as a convolution. FormatError for layers that take no blocks."""
        raise FormatError(f"layer {self.name} takes no blocks of channels")

    def restored_shape(self, sums: Tensor, x: Tensor) -> Tensor:
        """Sums [N, O, H', W'] of `as_convolution` as the output for input x."""
        return sums

    takes_modes = True
    """Whether weights of layers of this kind may have modes of their own."""

    @abstractmethod
    def table_sums(self, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
        """int32 `sum_k table[a, b]` of padded uint8 patterns, by the rule's accumulator."""

    @abstractmethod
    def exact_sums(self, a: Tensor, b: Tensor, peak: int | None = None) -> Tensor:
        """float64 integers `sum_k (a-za)(b-zb)` of padded codes. peak: a bound on |a-za|; None, that of the format."""

    @abstractmethod
    def window_sums(self, plane: Tensor) -> Tensor:
        """float64 sums of a padded plane of integers (float32) over each window, broadcastable to the output; exact."""

    @abstractmethod
    def padding_sums(self, weight: Tensor, shape: torch.Size) -> Tensor:
        """float64 sums of a weight-shaped tensor over the padded positions of each window of an input of padded `shape`."""

    @abstractmethod
    def inside(self, shape: torch.Size) -> Tensor:
        """1 inside the image, 0 in the padding, broadcastable to a padded input of that shape."""

    @abstractmethod
    def float_layer(self, x: Tensor, weight: Tensor) -> Tensor:
        """The original layer in float32, for gradients."""

    @abstractmethod
    def float_gradients(self, gradient: Tensor, a: Tensor, b: Tensor, needs: tuple[bool, ...]) -> Gradients:
        """Gradients of `float_layer(a, b)` for a, b and the bias where `needs` says so; nothing here is differentiated again."""

    @abstractmethod
    def contraction(self) -> Contraction:
        """The sums of the layer, for gradients."""

    @abstractmethod
    def per_channel(self, values: Tensor) -> Tensor:
        """[O] reshaped to broadcast over the output."""

    @abstractmethod
    def channels_first(self, values: Tensor) -> Tensor:
        """An output-shaped tensor as [O, everything else]."""


def _code_range(bits: int, signed: bool, *, full: bool = False) -> tuple[int, int]:
    """The least and the largest code. full: with the pattern that only a broken bit can make."""
    return (-(2 ** (bits - 1) - 1 + full), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def _sums_of_table_fit(rule: Rule, window: int) -> bool:
    """Whether exact products have a table, and the int32 sums of its entries cannot overflow."""
    a_bits, b_bits = rule.format.a_bits, rule.format.b_bits
    return max(a_bits, b_bits) <= 8 and window * 2 ** (a_bits + b_bits) < 2**31


def _refresh(module: nn.Module, _incompatible: Any) -> None:
    if isinstance(module, ApproxLayer):
        module.calibrated = bool(torch.isfinite(module.a_scale)) and bool(torch.isfinite(module.b_scale).all())
        module.has_column = bool(module.column.any())
