"""Products of two activations, as attention forms them: the module that names one, and the module that emulates it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from inexact import kernels
from inexact.core.errors import FormatError, PlanError
from inexact.nn._correction import Probe
from inexact.nn._emulation import Emulation
from inexact.nn._rule import Rule
from inexact.nn._sums import matmul
from inexact.precision import Grid, Observer, Quantiser


@final
class Product(nn.Module):
    """`a @ b` of two activations; a network that writes it as this module gives the product a name plans can use."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """[..., M, K] and [..., K, N] to [..., M, N]; leading dimensions broadcast."""
        return torch.matmul(a, b)


@final
class ApproxProduct(Emulation):
    """A product of two activations on the planned array: `a` on the unit's left, `b` on its right, where other layers hold weights.

    Both operands have one scale and zero point each, calibrated like activations; b is coded as the rule codes weights (symmetric unless
    the coding is "unsigned") in `b_bits`. A recovery sees the product as one output channel: its constant, gain and column are shared by
    all outputs, because no position of a product keeps its meaning from one input to the next.
    """

    noun = "product"
    weighted = False

    def __init__(self, name: str, rule: Rule) -> None:
        super().__init__(name, rule, channels=1, b_shape=())
        if rule.modes != "uniform":
            raise PlanError(f"modes are stored with weights, which product {name} has none of: leave its rule's modes away")
        self.bias = None
        self.register_buffer("modes", None)
        self.restate(rule)

    def calibrate(self, a: Observer, b: Observer, outputs: Observer) -> None:
        """Fix scales and zero points from what the product saw in float32."""
        self.range_activations(a, outputs)
        self.range_operand("b", self.rule.format.right_activations(b, self.rule.coding))
        self.calibrated = True

    def take_codes(self, codes: Tensor) -> None:
        """Nothing: a product has no weights."""

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
        total = self.sums(a, b)
        if self.recoverer is not None:
            self.correct(self.recoverer(Probe(self, a, b[None], total.to(torch.int64))))
        return self.finished(total, a)

    @property
    def window(self) -> None:
        """As long as the operands are."""
        return None

    @property
    def pads(self) -> bool:
        """Always False."""
        return False

    @property
    def a_grid(self) -> Grid | None:
        """That of the format."""
        return self.rule.format.a_grid

    def table_sums(self, a: Tensor, b: Tensor, table: Tensor) -> Tensor:
        """int32 [..., M, N]."""
        return matmul(self.rule, a, b, table)

    def exact_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """float64 [..., M, N]."""
        return kernels.exact_matmul(a - self.a_zero, b - self.b_zero, peak=(self.a_peak, self.b_peak))

    def contracted(self, a: Tensor, b: Tensor, peak: int) -> Tensor:
        """float64 [..., M, N], of float64: the bound of the sums vouches for it, whatever the peak."""
        return torch.matmul(a, b)

    def window_sums(self, plane: Tensor) -> Tensor:
        """float64 [..., M, 1]."""
        return plane.sum(-1, keepdim=True, dtype=torch.float64)

    def right_sums(self, b: Tensor) -> Tensor:
        """float64 [..., 1, N]."""
        return b.sum(-2, keepdim=True, dtype=torch.float64)

    def padding_sums(self, weight: Tensor, shape: torch.Size) -> Tensor:
        """Zero: nothing is padded."""
        return torch.zeros((), dtype=torch.float64, device=weight.device)

    def inside(self, shape: torch.Size) -> Tensor:
        """One everywhere."""
        return torch.ones((), device=self.a_scale.device)

    def per_channel(self, values: Tensor) -> Tensor:
        """[1] as it is."""
        return values

    def channels_first(self, values: Tensor) -> Tensor:
        """An output as [1, everything]."""
        return values.reshape(1, -1)

    def true_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """b is [1, ..., K, N], one output channel."""
        return self.arithmetic.true_sums(self, a, b[0])

    def approximate_sums(self, a: Tensor, b: Tensor) -> Tensor:
        """b is [1, ..., K, N], one output channel."""
        return self.sums(a, b[0])

    def sums_of(self, output: Tensor) -> Tensor:
        """Without a bias."""
        return output.double() / (self.a_scale.double() * self.b_scale.double() * self.arithmetic.step)

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


def _pass_through(values: Tensor, quantiser: Quantiser) -> Tensor:
    """Quantised values whose gradient is one inside the range and zero outside."""
    low, high = quantiser.ends
    clipped = torch.minimum(torch.maximum(values, low), high)
    return clipped + (quantiser.dequantise(quantiser.quantise(values)) - clipped).detach()
