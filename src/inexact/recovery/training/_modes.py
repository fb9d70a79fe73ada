"""What a network computes while it is trained: as planned, with exact products, or with exact products and the errors as noise."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from inexact.nn import ApproxLayer, ApproxModel, Correction, Emulated, Rule
from inexact.precision import Observer
from inexact.recovery._recover import recover

Noise = dict[str, tuple[Tensor, Tensor]]
"""By layer: mean and standard deviation of its error in each output channel, float32 [O]."""


@final
class Modes:
    """Switches an emulated network in place between its plan and exact products; parameters stay the same objects.

    The corrections of a recovery belong to the unit: exact products have none. On the way back those of the rules' recoveries are found
    anew, others are put back as they were.
    """

    def __init__(self, net: ApproxModel, inputs: Tensor) -> None:
        self.net = net
        self.inputs = inputs
        self.rules: Mapping[str, Rule] = {name: layer.rule for name, layer in net.layers().items()}
        self.noise: Noise = {}
        self.generator = torch.Generator()
        self._corrections: dict[str, Correction] = {}
        self._hooks: list[RemovableHandle] = []

    def plain(self) -> None:
        """As planned, after exact products."""
        self._unhook()
        for name, layer in self.net.layers().items():
            layer.restate(self.rules[name])
            layer.correct(self._corrections.pop(name))
        if any(rule.recovery != "none" for rule in self.rules.values()):
            for name, found in recover(self.net, data=self.inputs, size=len(self.inputs)).layers().items():
                if self.rules[name].recovery != "none":
                    self.net.layers()[name].correct(_correction_of(found))

    def exact(self) -> None:
        """Exact products of the same codes, no corrections."""
        self._unhook()
        for name, layer in self.net.layers().items():
            self._corrections.setdefault(name, _correction_of(layer))
            layer.restate(self.rules[name].but(multiplier="exact", modes="uniform", accumulator="exact", gradient="straight_through"))
            layer.correct(_nothing(layer))

    def noisy(self, noise: Noise) -> None:
        """Exact products and, in training, errors drawn independently for every output from the normal distribution of `noise`."""
        self.exact()
        self.noise = noise
        for name, layer in self.net.layers().items():
            if name in noise:
                self._hooks.append(layer.register_forward_hook(self._hook(name)))

    def _hook(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]:
        mean, deviation = self.noise[name]

        def add(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            if not torch.is_grad_enabled():
                return None
            drawn = torch.randn(output.shape, generator=self.generator).to(output)
            return output + spread(layer, mean.to(output)) + spread(layer, deviation.to(output)) * drawn

        return add

    def _unhook(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def spread(layer: nn.Module, values: Tensor) -> Tensor:
    """[O] so that it broadcasts over the output of a layer; products have one channel."""
    return layer.per_channel(values) if isinstance(layer, ApproxLayer) else values


def _nothing(layer: Emulated) -> Correction:
    return Correction(bias=torch.zeros_like(layer.fold), gain=torch.ones_like(layer.gain))


def _correction_of(layer: Emulated) -> Correction:
    return copy.deepcopy(layer.correction())  # its tables may share memory with the layer


@torch.no_grad()
def measured_noise(net: ApproxModel, exact: ApproxModel, inputs: Tensor) -> Noise:
    """Mean and deviation of (emulated - exact) outputs of each layer, on what enters it in the emulated network `net`."""
    twins = exact.layers()
    sums: dict[str, list[Tensor]] = {}

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def compare(layer: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> None:
            error = layer.channels_first(output - twins[name](*received)).double()  # type: ignore[operator]
            parts = [torch.full((len(error),), float(error.shape[1])), error.sum(1), error.square().sum(1)]
            sums[name] = [a + b for a, b in zip(sums[name], parts, strict=True)] if name in sums else parts

        return compare

    layers = net.layers()
    hooks = [layer.register_forward_hook(hook(name)) for name, layer in layers.items() if not layer.rule.exact]
    try:
        for part in torch.split(inputs, 128):
            net(part)
    finally:
        for handle in hooks:
            handle.remove()
    found = {name: (total / count, square / count) for name, (count, total, square) in sums.items()}
    return {name: (mean.float(), (square - mean.square()).clamp(min=0).sqrt().float()) for name, (mean, square) in found.items()}


@torch.no_grad()
def range_activations(net: ApproxModel, inputs: Tensor) -> None:
    """Ranges of what enters and leaves each layer with weights, observed in the emulated network itself, running on the old ones."""
    layers = {name: layer for name, layer in net.layers().items() if isinstance(layer, ApproxLayer)}
    seen = {name: (Observer(), Observer()) for name in layers}

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def watch(layer: nn.Module, received: tuple[Tensor, ...], _output: Tensor) -> None:
            seen[name][0].update(received[0])
            seen[name][1].update(layer.float_output(received[0]))  # type: ignore[operator]

        return watch

    hooks = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        for part in torch.split(inputs, 128):
            net(part)
    finally:
        for handle in hooks:
            handle.remove()
    for name, layer in layers.items():
        layer.range_activations(*seen[name])
