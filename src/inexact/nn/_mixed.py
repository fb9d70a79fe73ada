"""A format of several widths or scales at work in an emulated layer: its threshold, its products, and the shares that are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import torch
from torch import Tensor, nn

from inexact.core.errors import FormatError, PlanError
from inexact.precision import MixedFormat, Observer

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer
    from inexact.nn._rule import Rule


@final
class Mixture(nn.Module):
    """The mixed format of one layer. Buffers: threshold float64 (); counts float64 [shares + 1], sums over inputs and their number."""

    threshold: Tensor
    counts: Tensor

    def __init__(self, form: MixedFormat, coding: str) -> None:
        super().__init__()
        self.format = form
        self.grid = form.activation_grid(coding)
        self.register_buffer("threshold", torch.full((), torch.nan, dtype=torch.float64))
        self.register_buffer("counts", torch.zeros(len(form.shares) + 1, dtype=torch.float64))
        self.counting = False

    @property
    def plain(self) -> bool:
        """Whether evenly spaced codes alone say what the layer computes, and nothing is counted."""
        return not (self.counting or self.format.splits) and self.grid is None

    def fit(self, layer: ApproxLayer, inputs: Observer) -> None:
        """Fix the threshold. Raises PlanError for a layer or for activations that the format is not for."""
        if self.format.needs_image and not layer.has_image:
            raise PlanError(
                f"{self.format.spec} tells regions of an image apart, and layer {layer.name} is no Conv2d: give it another precision"
            )
        if self.format.needs_zero and float(layer.a_zero) != 0:
            raise PlanError(
                f"{self.format.spec} in layer {layer.name} must have activations that are not negative under {layer.rule.coding} coding, "
                "but calibration saw negative ones: use coding 'signed'"
            )
        self.threshold.fill_(self.format.threshold(inputs))

    def sums(self, layer: ApproxLayer, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """The layer's exact sums under the format, float64; counts shares when asked to."""
        codes = LayerCodes(layer, x, a, b, float(self.threshold))
        if self.counting:
            found = torch.tensor([*self.format.counted(codes), 1.0], dtype=torch.float64)
            self.counts += (found * len(x)).to(self.counts.device)
        parts = self.format.parts(codes)
        if parts is None:
            return layer.exact_sums(a, b)
        return torch.stack([layer.exact_sums(left + layer.a_zero, right) for left, right in parts]).sum(0)

    def found(self, name: str) -> dict[str, float]:
        """The shares by name. Raises FormatError when nothing was counted; name: of the layer."""
        *sums, whole = self.counts.tolist()
        if not whole:
            raise FormatError(f"what {self.format.spec} takes in layer {name} must be counted: give `calibrate=` to approximate()")
        return {share: value / whole for share, value in zip(self.format.shares, sums, strict=True)}

    def extra_repr(self) -> str:
        """The spec."""
        return self.format.spec


@final
class LayerCodes:
    """See `precision.Codes`."""

    def __init__(self, layer: ApproxLayer, x: Tensor, a: Tensor, b: Tensor, threshold: float) -> None:
        self.layer = layer
        self.values = x
        self.inputs = layer.a_quantiser().quantise(x)
        self.a = a
        self.a_zero = layer.a_zero
        self.b = b
        self.threshold = threshold
        self.coding: str = layer.rule.coding

    def padded(self, plane: Tensor) -> Tensor:
        """By the layer's padding mode."""
        return self.layer.padded(plane)

    def products(self, a: Tensor, b: Tensor) -> float:
        """An exact sum over the layer's output."""
        return float(self.layer.exact_sums(a + self.layer.a_zero, b + self.layer.b_zero).sum())


def mixture_of(rule: Rule) -> Mixture | None:
    """The mixture of a rule; None for formats of one width and scale."""
    return Mixture(rule.format, rule.coding) if isinstance(rule.format, MixedFormat) else None
