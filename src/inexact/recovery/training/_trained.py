"""Which parameters are trained: all of them, or one factor and one constant an output channel."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from inexact.core.errors import PlanError
from inexact.nn import ApproxLayer, ApproxModel
from inexact.recovery.training._modes import spread


@final
class Affine(nn.Module):
    """A factor and a constant for each output channel of each emulated layer with weights, applied behind it while it is trained.

    What batch norms keep trainable once they are folded. `fold` moves them into the requantisation scale and the bias, where they cost
    nothing, and starts again from 1 and 0.
    """

    def __init__(self, net: ApproxModel, *, gains: bool) -> None:
        super().__init__()
        self.layers = {name: layer for name, layer in net.layers().items() if isinstance(layer, ApproxLayer)}
        for name, layer in self.layers.items():
            if layer.rule.format.integer_output:
                raise PlanError(
                    f"factors and constants can be trained where outputs are requantised in float; layer {name} has "
                    "requantisation=integer: train 'all' parameters"
                )
        sizes = {name: len(layer.weight) for name, layer in self.layers.items()}
        self.gain = nn.ParameterList([nn.Parameter(torch.ones(size), requires_grad=gains) for size in sizes.values()])
        self.constant = nn.ParameterList([nn.Parameter(torch.zeros(size)) for size in sizes.values()])
        self._hooks = [self._attach(index, layer) for index, layer in enumerate(self.layers.values())]

    def _attach(self, index: int, layer: ApproxLayer) -> RemovableHandle:
        def scale(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return output * spread(module, self.gain[index]) + spread(module, self.constant[index])

        return layer.register_forward_hook(scale)

    @torch.no_grad()
    def fold(self) -> None:
        """Into gain and bias of the layers; a layer without bias takes the constant as an integer of its accumulator."""
        for gain, constant, layer in zip(self.gain, self.constant, self.layers.values(), strict=True):
            layer.gain.mul_(gain.double())
            if layer.bias is not None:
                layer.bias.mul_(gain).add_(constant)
            else:
                unit = layer.a_scale.double() * layer.b_scale.double().reshape(-1) * layer.gain
                layer.fold.sub_(torch.round(constant.double() / unit).to(torch.int64))
            gain.fill_(1.0)
            constant.zero_()

    def remove(self) -> None:
        """Detach from the network."""
        for hook in self._hooks:
            hook.remove()
