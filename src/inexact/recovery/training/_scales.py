"""Learned step sizes: scales of activations and weights trained with everything else, through the unit."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from inexact.core.errors import PlanError
from inexact.nn import ApproxLayer, ApproxModel


@final
class Scales(nn.Module):
    """The logarithms of the scales of all emulated layers with weights, as parameters; `write` puts the scales into the layers.

    An output y without its bias is s_a s_b times sums of codes, and by the straight-through gradient a code moves with x / s where it is
    not clipped. So d loss / d ln s_a = sum g y - sum x dx, with g the gradient that arrives at y and dx the one that leaves at x, which
    is 0 where x is clipped; the same for s_b, a channel at a time, with the weights. With exact products that is s times the published
    gradient of a step size; with a unit, y is what the unit gives. Logarithms, because scales of 8-bit codes are small numbers of very
    different sizes. Zero points stay.

    Reference: S. K. Esser et al., Learned Step Size Quantization, ICLR 2020, arXiv:1902.08153, section 2.1 (the gradient); S. R. Jain et
    al., Trained Quantization Thresholds, MLSys 2020, arXiv:1903.08066, section 3.3 and appendix B (logarithms)
    """

    def __init__(self, net: ApproxModel) -> None:
        super().__init__()
        self.layers = [layer for layer in net.layers().values() if isinstance(layer, ApproxLayer)]
        for layer in self.layers:
            if layer.rule.format.block is not None or layer.mixture is not None:
                raise PlanError(
                    f"ranges=learned needs one scale a tensor or channel; {layer.rule.precision} in layer {layer.name} has others: "
                    "set ranges=kept"
                )
        self.a = nn.ParameterList([nn.Parameter(torch.log(layer.a_scale)) for layer in self.layers])
        self.b = nn.ParameterList([nn.Parameter(torch.log(layer.b_scale)) for layer in self.layers])
        self.sums = [Moments() for _ in self.layers]
        for layer, moments in zip(self.layers, self.sums, strict=True):
            layer.register_forward_pre_hook(moments.watch_input)
            layer.register_forward_hook(moments.watch_output)

    def collect(self) -> None:
        """After a backward pass: the gradients of the scales, from those of the weights and what was seen on the way."""
        for layer, moments, a, b in zip(self.layers, self.sums, self.a, self.b, strict=True):
            if moments.by_output is None or layer.weight.grad is None:
                continue
            a.grad = (moments.by_output.sum() - moments.by_input).to(a)
            weights = moments.by_output - (layer.weight.detach() * layer.weight.grad).double().flatten(1).sum(1)
            b.grad = (weights.sum() if b.numel() == 1 else weights).reshape(b.shape).to(b)
            moments.clear()

    @torch.no_grad()
    def write(self) -> None:
        """Into the layers."""
        for layer, a, b in zip(self.layers, self.a, self.b, strict=True):
            layer.a_scale.copy_(torch.exp(a))
            layer.b_scale.copy_(torch.exp(b))


@final
class Moments:
    """What one layer's gradients add up to. by_output: float64 [O], sum of g y. by_input: sum of x dx."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.by_output: Tensor | None = None
        self.by_input = torch.zeros((), dtype=torch.float64)

    def watch_input(self, _layer: nn.Module, received: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        x, *others = received
        if not torch.is_grad_enabled():
            return None
        watched: Tensor = _Watch.apply(x if x.requires_grad else x.detach().requires_grad_(), self._take_input)  # type: ignore[no-untyped-call]
        return watched, *others

    def watch_output(self, layer: nn.Module, _received: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if not output.requires_grad:
            return None

        def take(y: Tensor, gradient: Tensor) -> None:
            assert isinstance(layer, ApproxLayer)
            g = layer.channels_first(gradient)
            whole = (layer.channels_first(y) * g).double().sum(1)
            whole = whole if layer.bias is None else whole - layer.bias.detach() * g.double().sum(1)
            self.by_output = whole if self.by_output is None else self.by_output + whole

        watched: Tensor = _Watch.apply(output, take)  # type: ignore[no-untyped-call]
        return watched

    def _take_input(self, x: Tensor, gradient: Tensor) -> None:
        self.by_input = self.by_input.to(x.device) + (x * gradient).double().sum()


class _Watch(torch.autograd.Function):
    """The identity; shows the value and its gradient on the way back."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, take: Any) -> Tensor:
        ctx.save_for_backward(value)
        ctx.take = take
        return value.clone()  # layers that follow may write in place

    @staticmethod
    def backward(ctx: Any, *arrived: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (value,) = arrived, ctx.saved_tensors
        ctx.take(value, gradient)
        return gradient, None
