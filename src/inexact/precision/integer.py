"""Integer formats: 2 to 16 bits, unsigned affine, two's complement, sign-magnitude; per tensor or per channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, near, require_range
from inexact.core.workload import CODINGS, Coding
from inexact.precision._base import Format, formats
from inexact.precision._calibration import Observer, check_method, ranges, remembered
from inexact.precision._quantiser import Quantiser

GRANULARITIES = ("per_tensor", "per_channel")
REQUANTISATIONS = ("float", "integer")


@formats.register("int")
@final
@dataclass(frozen=True, kw_only=True)
class Int(Format):
    """Integers with one scale per tensor (activations) and per output channel or tensor (weights).

    a_bits, b_bits: 2..16 stored bits of activations and weights.
    granularity: of the weights, "per_channel" (one scale and zero point an output channel) or "per_tensor".
    calibration, weight_calibration: "minmax", "percentile" or "mse"; percentile: share kept on each side, in percent, 50..100.
    requantisation: "float" (accumulator x float scale, rounded once to float32) or "integer" (32-bit multiplier and shift to 8..16-bit
    output codes, see `requantise`).

    Codes under each coding, n bits: *unsigned*: 0..2**n-1, affine, zero points of activation and weight free.
    *signed*: symmetric two's complement -(2**(n-1)-1)..2**(n-1)-1, zero points 0.
    *sign_magnitude*: activations as unsigned, weights as signed.

    Reference: B. Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, CVPR 2018,
    doi 10.1109/CVPR.2018.00286
    """

    a_bits: int = 8
    b_bits: int = 8
    granularity: str = "per_channel"
    calibration: str = "minmax"
    weight_calibration: str = "minmax"
    percentile: float = 99.99
    requantisation: str = "float"

    def __post_init__(self) -> None:
        require_range("a_bits", self.a_bits, 2, 16)
        require_range("b_bits", self.b_bits, 2, 16)
        one_of("granularity", self.granularity, GRANULARITIES)
        one_of("requantisation", self.requantisation, REQUANTISATIONS)
        check_method(self.calibration)
        check_method(self.weight_calibration)
        if not 50 < self.percentile <= 100:
            raise SpecError(f"percentile must be above 50 and at most 100, not {self.percentile!r}")

    def short_name(self) -> str | None:
        """`int8` or `w4a8` when only the widths are chosen."""
        if self != Int(a_bits=self.a_bits, b_bits=self.b_bits):
            return None
        return f"int{self.a_bits}" if self.a_bits == self.b_bits else f"w{self.b_bits}a{self.a_bits}"

    @property
    def quick_weights(self) -> bool:
        """True for `weight_calibration="minmax"`."""
        return self.weight_calibration == "minmax"

    @property
    def integer_output(self) -> bool:
        """True for `requantisation="integer"`."""
        return self.requantisation == "integer"

    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """The activation quantiser for what `observer` saw, scalars. Raises FormatError when it saw nothing."""
        symmetric = _checked(coding) == "signed"
        return self._fitted(*observer.rows(), self.a_bits, symmetric, self.calibration, ())

    def right_activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """As `activations`, in `b_bits` and coded as weights are, scalars."""
        symmetric = _checked(coding) != "unsigned"
        return self._fitted(*observer.rows(), self.b_bits, symmetric, self.calibration, ())

    def outputs(self, observer: Observer) -> Quantiser:
        """The affine quantiser of the layer's output, used by integer requantisation."""
        return self._fitted(*observer.rows(), self.a_bits, False, self.calibration, ())

    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """The weight quantiser; weight [O, …]; its scale and zero point have the shape `scale_shape` gives."""
        symmetric = _checked(coding) != "unsigned"
        rows = weight.detach().float().cpu().reshape(weight.shape[0], -1)
        if self.granularity == "per_tensor":
            rows = rows.reshape(1, -1)
        low, high = rows.double().aminmax(dim=1)
        return self._fitted(low, high, rows, self.b_bits, symmetric, self.weight_calibration, self.scale_shape(weight))

    def scale_shape(self, weight: Tensor) -> tuple[int, ...]:
        """() per tensor, [-1, 1, …] per channel."""
        return (-1, *[1] * (weight.dim() - 1)) if self.granularity == "per_channel" else ()

    def _fitted(
        self, low: Tensor, high: Tensor, rows: Tensor, bits: int, symmetric: bool, method: str, shape: tuple[int, ...]
    ) -> Quantiser:
        def span(lows: Tensor, highs: Tensor, shape: tuple[int, ...]) -> Quantiser:
            return _spanning(lows, highs, bits, symmetric, shape)

        return fitted(low, high, rows, span, shape, method=method, percentile=self.percentile, key=(bits, symmetric))


Span = Callable[[Tensor, Tensor, tuple[int, ...]], Quantiser]
"""The quantisers that cover ranges [G], their scales in a shape."""


def fitted(
    low: Tensor, high: Tensor, rows: Tensor, span: Span, shape: tuple[int, ...], *, method: str, percentile: float, key: tuple[Any, ...]
) -> Quantiser:
    """The quantiser of the range that a calibration method picks within low..high, [G], for values [G, n]; key: names `span`."""

    def error(lows: Tensor, highs: Tensor) -> Tensor:
        quantiser = span(lows, highs, (-1, 1))
        return (quantiser.dequantise(quantiser.quantise(rows)) - rows).square().mean(1)

    def search() -> tuple[Tensor, Tensor]:
        return ranges(low, high, rows, method=method, percentile=percentile, error=error)

    covered = remembered(key, (low, high, rows), search) if method == "mse" else search()
    return span(*covered, shape)


def _spanning(low: Tensor, high: Tensor, bits: int, symmetric: bool, shape: tuple[int, ...]) -> Quantiser:
    """The quantisers whose codes span low..high (low <= 0 <= high, float64 [G]), scale and zero point reshaped to `shape`."""
    top = 2 ** (bits - 1) - 1 if symmetric else 2**bits - 1
    step = (torch.maximum(-low, high) if symmetric else high - low) / top
    scale = torch.where(step > 0, step, 1.0).float()
    zero_point = torch.zeros_like(scale) if symmetric else torch.round(-low / scale.double()).clamp(0, top).float()
    return Quantiser(scale.reshape(shape), zero_point.reshape(shape), -top if symmetric else 0, top)


def _checked(coding: Coding) -> Coding:
    one_of("coding", coding, CODINGS)
    return coding


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise SpecError unless `value` is known."""
    if value not in known:
        raise SpecError(f"{name} must be one of {', '.join(known)}, not {value!r}{near(value, known)}")
