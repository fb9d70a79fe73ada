"""The straight-through gradient: forward the emulated result, backward the float32 layer of the quantised operands, which is never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]


def straight_through(layer: ApproxLayer, x: Tensor, result: Tensor) -> Tensor:
    """`result`, with gradients for the layer's input x, its weight and its bias."""
    a, b = layer.arithmetic.quantised(layer, x)
    found: Tensor = _StraightThrough.apply(a, b, layer.bias, result, layer)  # type: ignore[no-untyped-call]
    return found


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, bias: Tensor | None, result: Tensor, layer: ApproxLayer) -> Tensor:
        """a, b: quantised operands."""
        ctx.save_for_backward(a, b, *([] if bias is None else [bias]))
        ctx.layer = layer
        return result.detach()  # no view of it: layers that follow may write in place

    @staticmethod
    def backward(ctx: Any, *arrived: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients for a, b and bias; they may themselves be differentiated."""
        (gradient,), (a, b, *_) = arrived, ctx.saved_tensors
        needs = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():
            return (*by_autograd(ctx.layer, gradient, a, b, needs), None, None)
        return (*ctx.layer.float_gradients(gradient, a, b, needs), None, None)


def by_autograd(layer: ApproxLayer, gradient: Tensor, a: Tensor, b: Tensor, needs: tuple[bool, ...]) -> Gradients:
    """The gradients by running `layer.float_layer` and differentiating it: for kinds of layers without formulas of their own."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        if not again:
            a, b = a.detach().requires_grad_(), b.detach().requires_grad_()
        sources = [tensor for tensor, needed in zip((a, b, layer.bias), needs, strict=True) if needed and tensor is not None]
        found = iter(torch.autograd.grad(layer.float_layer(a, b), sources, gradient, create_graph=again))
    by_a, by_b, by_bias = (next(found) if needed else None for needed in needs)
    return by_a, by_b, by_bias
