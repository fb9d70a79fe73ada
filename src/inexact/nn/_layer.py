"""What every emulated layer with weights shares: calibration, the forward pass by either path, the gradient the rule names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from inexact.core.errors import FormatError, PlanError
from inexact.kernels import compiled_layer_serves
from inexact.nn._as_convolution import AsConvolution
from inexact.nn._correction import Probe
from inexact.nn._divisors import divided, load_divisors
from inexact.nn._emulation import Emulation
from inexact.nn._mixed import Mixture, mixture_of
from inexact.nn._modes import checked_modes, first_modes
from inexact.nn._prepared import Prepared, prepare
from inexact.nn._reduced import Reducer, check, gate_zeros
from inexact.nn._rule import Rule
from inexact.nn._straight_through import Gradients, straight_through
from inexact.nn.gradients._attach import slopes_of, with_slopes
from inexact.nn.gradients._contraction import Contraction
from inexact.precision import Grid, Observer

Disturbance = Callable[[Tensor, Tensor], Tensor]
"""float64 integers shaped as the output, from padded activation codes and weight codes."""


class ApproxLayer(Emulation, ABC):
    """A layer computed as the planned array computes it: float in, float out, integers between.

    Parameters `weight`, `bias` stay in float32 and trainable.

    disturbance: what hardware that does not work adds to the sums of padded codes. divisors: float32 [C], what the channels of an input
    are divided by when it enters; hooks and `forward` see it divided, and the weight holds the product. None: no division.
    """

    weight: nn.Parameter
    divisors: Tensor | None
    noun = "layer"
    weighted = True
    takes_modes = True
    """Whether weights of layers of this kind may have modes of their own."""

    def __init__(self, name: str, rule: Rule, weight: Tensor, bias: Tensor | None) -> None:
        channels = weight.shape[0]
        super().__init__(name, rule, channels, tuple(channels if size == -1 else size for size in rule.format.scale_shape(weight)))
        self.disturbance: Disturbance | None = None
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        self.register_buffer("divisors", None)
        self.register_forward_pre_hook(divided)
        self.register_load_state_dict_pre_hook(load_divisors)  # type: ignore[no-untyped-call]
        if rule.modes != "uniform" and not self.takes_modes:
            raise PlanError(f"modes of weights are for convolutions and Linear layers, not for layer {name}: leave its rule's modes away")
        self.register_buffer("modes", first_modes(rule.modes, rule.unit.spec, weight))
        self.restate(rule)
        self.mixture: Mixture | None = mixture_of(rule)
        self.reducer: Reducer | None = None
        if rule.reduction != "none":
            self._reduce()

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

    @final
    def calibrate(self, inputs: Observer, outputs: Observer) -> None:
        """Fix scales and zero points from what the layer saw in float32."""
        self.range_activations(inputs, outputs)
        self.range_weights()
        if self.mixture is not None:
            self.mixture.fit(self, inputs)
        self.calibrated = True

    @final
    def range_weights(self) -> None:
        """Fix scale and zero point of the weights from what they are now."""
        self.range_operand("b", self.rule.format.weights(self.weight, self.rule.coding))

    @final
    def take_codes(self, codes: Tensor) -> None:
        """As the quantiser restores them; weights that were left out stay out."""
        with torch.no_grad():
            chosen = self.b_quantiser().dequantise(codes)
            self.weight.copy_(chosen if self.reducer is None else torch.where(self.weight == 0, 0, chosen))

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
            result = self.compiled(x.detach(), prepared) if prepared and whole else self.emulated(x.detach())
            if self.reducer is not None and self.reducer.changes:
                result = self.reducer.apply_to(self, self.a_quantiser().quantise(x.detach()), result)
            result = result if self.guard is None else self.guard(result)
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            slopes = slopes_of(self)
            return straight_through(self, x, result) if slopes is None else with_slopes(self, x, result, slopes)
        return result

    def _compiles(self, x: Tensor) -> bool:
        planned = self.arithmetic.compiles and not self.has_control and (self.mixture is None or self.mixture.plain)
        undisturbed = self.recoverer is None and self.disturbance is None
        return planned and undisturbed and not torch.compiler.is_compiling() and compiled_layer_serves(x)

    def _prepared(self) -> Prepared:
        scales = (self.a_scale, self.a_zero, self.b_scale, self.b_zero, self.out_scale, self.out_zero)
        sources = (self.weight, *scales, self.fold, self.gain, self.column, *(() if self.modes is None else (self.modes,)))
        return self._cache.get(sources if self.bias is None else (*sources, self.bias), lambda: prepare(self))

    @final
    def emulated(self, x: Tensor) -> Tensor:
        """The layer by torch operators, on any device: what `compiled` must equal bit for bit."""
        self._check_finite(x)
        return self.arithmetic.outputs(self, x)

    @final
    def a_codes(self, x: Tensor) -> Tensor:
        """Codes of the padded input."""
        return self.arithmetic.a_codes(self, x)

    @final
    def b_codes(self) -> Tensor:
        """Codes of the weights."""
        return self.arithmetic.b_codes(self)

    @final
    def probe(self) -> Probe:
        """The layer as a recovery that needs no calibration inputs sees it."""
        return Probe(self, None, self.b_codes().detach(), None)

    @final
    def true_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """Of padded codes."""
        return self.arithmetic.true_sums(self, a, b)

    @final
    def approximate_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """Of padded codes."""
        return self.sums(a, b)

    @final
    def exact_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """Shaped as the output."""
        return self.contracted(a - self.a_zero, b - self.b_zero, self.a_peak)

    @final
    def right_sums(self, b: Tensor) -> Tensor:
        """One of every channel."""
        return self.per_channel(b.double().reshape(b.shape[0], -1).sum(1))

    @final
    def sums_of(self, output: Tensor) -> Tensor:
        """The bias is taken off."""
        sums = output.double() if self.bias is None else output.double() - self.per_channel(self.bias.detach().double())
        return sums / self.per_channel(self.scale() / self.gain)

    @property
    @final
    def window(self) -> int:
        """Taps of one channel of the weight."""
        return self.weight[0].numel()

    @property
    @final
    def a_grid(self) -> Grid | None:
        """That of the format, or what the mixture makes of it."""
        return self.rule.format.a_grid if self.mixture is None else self.mixture.grid

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

    def extra_repr(self) -> str:
        """What the layer's line in `print(model)` shows."""
        sums = "" if self.rule.sums is None else f", {self.rule.accumulator}"
        return f"{self.rule.multiplier}, {self.rule.precision}, {self.rule.coding}, recovery={self.rule.recovery}{sums}"

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

    def as_convolution(self, padded: Tensor) -> AsConvolution:
        """A padded input and the weight as a convolution. FormatError for layers that take no blocks."""
        raise FormatError(f"layer {self.name} takes no blocks of channels")

    def restored_shape(self, sums: Tensor, x: Tensor) -> Tensor:
        """Sums [N, O, H', W'] of `as_convolution` as the output for input x."""
        return sums

    @abstractmethod
    def float_layer(self, x: Tensor, weight: Tensor) -> Tensor:
        """The original layer in float32, for gradients."""

    @abstractmethod
    def float_gradients(self, gradient: Tensor, a: Tensor, b: Tensor, needs: tuple[bool, ...]) -> Gradients:
        """Gradients of `float_layer(a, b)` for a, b and the bias where `needs` says so; nothing here is differentiated again."""

    @abstractmethod
    def contraction(self) -> Contraction:
        """The sums of the layer, for gradients."""
