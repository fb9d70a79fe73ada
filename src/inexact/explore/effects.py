"""What a rule does in one layer, and through it to the logits: the float32 network with that layer alone emulated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from inexact.explore.margins import columns
from inexact.nn import ApproxModel, Emulated, dissect
from inexact.recovery import recoveries


@torch.no_grad()
def correct_alone(net: ApproxModel, images: Tensor) -> None:
    """Correct every emulated layer as its rule says, each as if it were the only one: on what the float32 network gives it. In place.

    images: float32 [N, …], the calibration set. Cost: a float32 pass, and one of every emulated layer.
    """
    layers, answers = net.layers(), dict[nn.Module, Tensor]()

    def before(layer: nn.Module, received: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, Emulated)
        answers[layer] = layer.float_output(*received)  # a recovery may change what the layer takes

    hooks = [layer.register_forward_pre_hook(before) for layer in layers.values()]
    hooks += [layer.register_forward_hook(lambda module, *_: answers.pop(module)) for layer in layers.values()]
    for layer in layers.values():
        layer.recoverer = recoveries.get(layer.rule.recovery).correct
    try:
        net(images)
    finally:
        for handle in hooks:
            handle.remove()
        for layer in layers.values():
            layer.recoverer = None


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Effect:
    """One rule in one layer, after its own free correction, on images that did not correct it.

    mean, std: float64 [O], of the error of each output channel, as the layer gives it, over images and positions. noise: power of
    the error over the variance of the output. change: float32 [N, T], what becomes of the logits' `margins.columns`; mean over T is 0.
    """

    mean: Tensor
    std: Tensor
    noise: float
    change: Tensor

    @property
    def error_std(self) -> float:
        """Standard deviation of the error over all outputs of the layer."""
        return float((self.std.square().mean() + self.mean.var(correction=0)).sqrt())


@final
class Holder(nn.Module):
    """Stands for a float32 layer: answers by it, by an emulated one, or with what it answered before."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.emulated: Emulated | None = None
        self.calls = 0
        self.answer: Tensor | None = None
        self.replays = False
        self.error: Tensor | None = None

    def forward(self, *received: Tensor) -> Any:
        """What the layer answers."""
        if self.emulated is not None:
            result = self.emulated(*received)
            exact = self.answer if self.calls == 1 else self.layer(*received)
            self.error = result - exact
            return result
        if self.replays and self.calls == 1:
            return None if self.answer is None else self.answer.clone()  # what follows may work in place
        return self.layer(*received)

    def first(self, _module: nn.Module, _received: Any, output: Tensor) -> None:
        """Hook of the first pass: remember the answer, and count calls (a recurrent layer has several)."""
        self.calls += 1
        self.answer = output.clone()


@final
class Isolation:
    """A float32 network in which one layer at a time is emulated. The model is untouched.

    layers: names as `plannable` lists them. images: float32 [N, …], in memory for good, with what every layer makes of them.
    What ran before the emulated layer is not computed again, so that one effect costs half a pass on average. Only the last step of a
    recurrent layer counts for mean and std.
    """

    @torch.no_grad()
    def __init__(self, model: nn.Module, layers: Iterable[str], images: Tensor) -> None:
        parts = dissect(model, images)
        self.images = images
        self.holders: dict[str, Holder] = {}
        order: list[str] = []
        hooks: list[RemovableHandle] = []
        for name in layers:
            self.holders[name] = holder = Holder(parts.model.get_submodule(name))
            parts.replace(name, holder)
            hooks.append(holder.register_forward_hook(holder.first))
            hooks.append(holder.register_forward_hook(lambda *_, name=name: order.append(name)))
        self.network = parts.model
        self.logits: Tensor = self.network(images)
        for hook in hooks:
            hook.remove()
        self.order = list(dict.fromkeys(order))
        self.columns = columns(self.logits)

    def effects(self, net: ApproxModel) -> dict[str, Effect]:
        """The effect of every layer an emulated network plans, each alone, as it is corrected."""
        return {name: self.effect(name, layer) for name, layer in net.layers().items()}

    @torch.no_grad()
    def effect(self, name: str, layer: Emulated) -> Effect:
        """The effect of one calibrated and corrected layer."""
        holder = self.holders[name]
        holder.emulated = layer
        before = self.order[: self.order.index(name)]
        try:
            for other in before:
                self.holders[other].replays = True
            change = (self.network(self.images) - self.logits).gather(1, self.columns)
        finally:
            holder.emulated = None
            for other in before:
                self.holders[other].replays = False
        assert holder.error is not None
        error, answer = layer.channels_first(holder.error).double(), holder.answer
        holder.error = None
        assert answer is not None
        return Effect(
            mean=error.mean(1),
            std=error.std(1, correction=0),
            noise=float(error.square().mean() / answer.double().var(correction=0).clamp(min=1e-30)),
            change=change - change.mean(1, keepdim=True),
        )
