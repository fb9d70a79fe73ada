"""Quantised operands as training sees them: the value of the code, the gradient of the identity inside the range."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from inexact import kernels
from inexact.precision import Quantiser


def pass_through(values: Tensor, quantiser: Quantiser) -> Tensor:
    """Quantised values whose gradient is one where the code is not clipped and zero elsewhere."""
    found: Tensor = _PassThrough.apply(values, quantiser)  # type: ignore[no-untyped-call]
    return found


class _PassThrough(torch.autograd.Function):
    """Keeps nothing but the values themselves, which the layer before keeps too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, quantiser: Quantiser) -> Tensor:
        """What the codes stand for."""
        ctx.save_for_backward(values)
        ctx.quantiser = quantiser
        if _compiles(values, quantiser):
            codes = (int(quantiser.zero_point), quantiser.low, quantiser.high)
            return kernels.restored(values, float(quantiser.scale), codes)
        return quantiser.dequantise(quantiser.quantise(values))

    @staticmethod
    def backward(ctx: Any, *arrived: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the values; it may itself be differentiated."""
        (gradient,), (values,) = arrived, ctx.saved_tensors
        quantiser: Quantiser = ctx.quantiser
        low, high = quantiser.ends  # not the last codes: the largest weight of many channels would be frozen
        if _compiles(values, quantiser) and not torch.is_grad_enabled():
            return kernels.inside(values, gradient, float(low), float(high)), None
        return gradient * ((values >= low) & (values <= high)), None


def _compiles(values: Tensor, quantiser: Quantiser) -> bool:
    return (
        quantiser.scale.dim() == 0
        and quantiser.grid is None
        and not torch.compiler.is_compiling()
        and kernels.compiled_layer_serves(values)
    )
