"""Integer formats: 2 to 16 bits, unsigned affine, two's complement, sign-magnitude; per tensor or per channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.core.errors import SpecError, near, require_range
from inexact.core.workload import CODINGS, Coding
from inexact.precision._base import Format, formats
from inexact.precision._calibration import Observer, check_method
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
        _one_of("granularity", self.granularity, GRANULARITIES)
        _one_of("requantisation", self.requantisation, REQUANTISATIONS)
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
    def integer_output(self) -> bool:
        """True for `requantisation="integer"`."""
        return self.requantisation == "integer"

    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """The activation quantiser for what `observer` saw. Raises FormatError when it saw nothing."""
        symmetric = _checked(coding) == "signed"
        return self._quantiser(observer, self.a_bits, symmetric, self.calibration)

    def outputs(self, observer: Observer) -> Quantiser:
        """The affine quantiser of the layer's output, used by integer requantisation."""
        return self._quantiser(observer, self.a_bits, False, self.calibration)

    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """The weight quantiser; weight [O, …]; per channel it holds one scale and zero point for each of the O rows."""
        symmetric = _checked(coding) != "unsigned"
        rows = weight.detach().reshape(weight.shape[0], -1)
        groups = [rows] if self.granularity == "per_tensor" else list(rows)
        found = []
        for values in groups:
            observer = Observer()
            observer.update(values)
            found.append(self._quantiser(observer, self.b_bits, symmetric, self.weight_calibration))
        shape = (-1, *[1] * (weight.dim() - 1)) if self.granularity == "per_channel" else ()
        scale = torch.stack([q.scale for q in found]).reshape(shape)
        zero_point = torch.stack([q.zero_point for q in found]).reshape(shape)
        return Quantiser(scale, zero_point, found[0].low, found[0].high)

    def _quantiser(self, observer: Observer, bits: int, symmetric: bool, method: str) -> Quantiser:
        def error(low: float, high: float, sample: Tensor) -> float:
            quantiser = _spanning(low, high, bits, symmetric)
            return float((quantiser.dequantise(quantiser.quantise(sample)) - sample).square().mean())

        return _spanning(*observer.range(method, percentile=self.percentile, error=error), bits, symmetric)


def _spanning(low: float, high: float, bits: int, symmetric: bool) -> Quantiser:
    """The quantiser whose codes span low..high (low <= 0 <= high)."""
    if symmetric:
        top = 2 ** (bits - 1) - 1
        reach = max(-low, high)
        return Quantiser(_scalar(reach / top or 1.0), _scalar(0.0), -top, top)
    top = 2**bits - 1
    scale = float(_scalar((high - low) / top or 1.0))
    return Quantiser(_scalar(scale), _scalar(min(top, max(0, round(-low / scale)))), 0, top)


def _scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float32)


def _checked(coding: Coding) -> Coding:
    _one_of("coding", coding, CODINGS)
    return coding


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SpecError(f"{name} must be one of {', '.join(known)}, not {value!r}{near(value, known)}")
