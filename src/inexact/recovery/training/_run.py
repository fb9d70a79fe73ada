"""One fine-tuning at work."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from inexact.core.errors import FormatError
from inexact.nn import ApproxLayer, ApproxModel, correct_answers, device_of
from inexact.recovery._base import recoveries
from inexact.recovery.training._data import Images, arranged, generator_of, moved, order_of, scores_of
from inexact.recovery.training._modes import Modes, measured_noise, range_activations
from inexact.recovery.training._projection import project
from inexact.recovery.training._scales import Scales
from inexact.recovery.training._settings import Settings
from inexact.recovery.training._trained import Affine
from inexact.recovery.training.losses import Step, losses


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Where a fine-tuning stands: epoch and step (from 1; epoch 0 is the network as it came), how many there are, mean loss of the epoch
    so far, validation accuracy in percent once the epoch is done and validation images were given."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    top1: float | None = None


Progress = Callable[[Epoch], None]


@dataclass
class Task:
    """What a fine-tuning is given. inputs: calibration inputs. teacher: in eval mode, None when the loss needs none."""

    settings: Settings
    images: Images
    validation: Images | None
    teacher: nn.Module | None
    inputs: Tensor
    seed: int


class DivergedError(Exception):
    """The loss, or an activation, is no longer finite; caught where the last good network is kept."""


@final
class Run:
    """State and steps of one fine-tuning of `net`, in place."""

    def __init__(self, net: ApproxModel, task: Task) -> None:
        self.net, self.task, self.settings = net, task, task.settings
        self.layers = [layer for layer in net.layers().values() if isinstance(layer, ApproxLayer)]
        if self.settings.gradient:
            for layer in net.layers().values():
                layer.rule = layer.rule.but(gradient=self.settings.gradient)
        learned = self.settings.ranges == "learned"
        self.ranged = [] if learned else [layer for layer in self.layers if not _ranges_chosen(layer)]
        self.modes = Modes(net, task.inputs)
        self.affine = None if self.settings.trained == "all" else Affine(net, gains=self.settings.trained == "affine")
        trained = net.parameters() if self.affine is None else self.affine.parameters()
        net.requires_grad_(self.affine is None)
        self.parameters = [parameter for parameter in trained if parameter.requires_grad]
        self.scales = Scales(net) if learned else None
        self.masks = [(layer.weight, layer.weight.detach() != 0) for layer in self.layers if _pruned(layer)]
        scales = [] if self.scales is None else list(self.scales.parameters())
        self.optimizer = _optimizer(self.settings, self.parameters, scales)
        self.parameters += scales
        self.loss = losses.get(self.settings.loss)
        plain = task.teacher is not None and not (self.settings.shift or self.settings.mirror)
        self.answers = scores_of(task.teacher, task.images.inputs) if plain and task.teacher is not None else None
        self.steps = math.ceil(len(task.images) / self.settings.batch)
        self.step, self.total, self.history = 0, 0.0, list[Epoch]()
        self.kept: dict[str, Any] = {}
        self.order: tuple[int, tuple[Tensor, ...]] = (-1, ())

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience is at its end."""
        behind = len(self.history) - 1 - int(self.kept["epoch"])
        waited = self.settings.patience and self.task.validation is not None and behind >= self.settings.patience
        return bool(waited) or self.step >= self.settings.epochs * self.steps

    def begin(self) -> None:
        """Judge the network as it came."""
        self._judge(0, math.nan)

    def advance(self) -> Epoch:
        """One step, and what an epoch begins and ends with. Raises DivergedError."""
        try:
            return self._advance()
        except FormatError as error:  # NaN or infinity entered a layer
            raise DivergedError(str(error)) from error

    def _advance(self) -> Epoch:
        epoch, within = divmod(self.step, self.steps)
        if within == 0:
            self._enter(epoch)
        if self.order[0] != epoch:
            self.order = epoch, order_of(self.task.images, self.settings.batch, seed=self.task.seed, epoch=epoch)
        chosen = self.order[1][within]
        self.total += self._update(chosen)
        self.step += 1
        if within + 1 == self.steps:
            return self._leave(epoch)
        return self._moment(epoch + 1, within + 1, self.total / (within + 1))

    def _enter(self, epoch: int) -> None:
        settings = self.settings
        self.total = 0.0
        if epoch > 0 and settings.ranges == "each_epoch":
            range_activations(self.net, self.task.inputs)
        if settings.trained == "all" and settings.projection != "step":
            for layer in self.ranged:
                layer.range_weights()
        if epoch < settings.exact_epochs:
            self.modes.exact()
        elif settings.forward == "noise":
            twin = copy.deepcopy(self.net)
            Modes(twin, self.task.inputs).exact()
            self.modes.noisy(measured_noise(self.net, twin, self.task.inputs))

    def _leave(self, epoch: int) -> Epoch:
        if self.affine is not None:
            self.affine.fold()
        if epoch < self.settings.exact_epochs or self.settings.forward == "noise":
            self.modes.plain()
        return self._judge(epoch + 1, self.total / self.steps)

    def _update(self, chosen: Tensor) -> float:
        settings, images, generator = self.settings, self.task.images, generator_of(self.task.seed, self.step)
        self.modes.generator = generator
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(settings, self.step, settings.epochs * self.steps)
        background = float(images.inputs.min()) if settings.shift else 0.0
        inputs = moved(images.inputs[chosen], shift=settings.shift, mirror=settings.mirror, background=background, generator=generator)
        device = device_of(self.net)
        teacher = self._teacher(chosen, inputs)
        scores = self.net(arranged(inputs.to(device)))
        weights = [(layer.weight, layer.b_scale) for layer in self.layers]
        taught = None if teacher is None else teacher.to(device)
        loss = self.loss.value(
            Step(scores=scores, labels=images.labels[chosen].to(device), teacher=taught, weights=weights, generator=generator)
        )
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(f"the loss became {value}")
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self.scales is not None:
            self.scales.collect()
        if not math.isfinite(float(torch.nn.utils.clip_grad_norm_(self.parameters, settings.clip))):
            raise DivergedError("the gradient is no longer finite")
        self.optimizer.step()
        self._follow()
        return value

    def _teacher(self, chosen: Tensor, inputs: Tensor) -> Tensor | None:
        if self.answers is not None:
            return self.answers[chosen]
        return None if self.task.teacher is None else scores_of(self.task.teacher, inputs)

    def _follow(self) -> None:
        """After an update: pruned weights stay zero; weights are projected, or their scales follow them."""
        if self.settings.trained != "all":
            return
        with torch.no_grad():
            for weight, mask in self.masks:
                weight.mul_(mask)
        if self.scales is not None:
            self.scales.write()
        if self.settings.projection == "step":
            project(self.net)
            return
        for layer in self.ranged:
            if layer.rule.format.quick_weights:
                layer.range_weights()

    def _judge(self, epoch: int, loss: float) -> Epoch:
        """Accuracy after an epoch; the best network is kept, without validation images the last one."""
        shadow = copy.deepcopy(self.net.state_dict()) if self.settings.projection == "end" and epoch else None
        if shadow is not None:
            project(self.net)
        top1 = None if self.task.validation is None else _accuracy(self.net, self.task.validation)
        if top1 is None or not self.kept or top1 > self.kept["top1"]:
            self.kept = {"epoch": epoch, "top1": top1, "state": copy.deepcopy(self.net.state_dict())}
        if shadow is not None:
            self.net.load_state_dict(shadow)
        self.history.append(self._moment(epoch, self.steps, loss, top1))
        return self.history[-1]

    def _moment(self, epoch: int, step: int, loss: float, top1: float | None = None) -> Epoch:
        return Epoch(epoch=epoch, epochs=self.settings.epochs, step=step, steps=self.steps, loss=loss, top1=top1)

    def state(self) -> dict[str, Any]:
        """Everything that decides what comes, for a checkpoint."""
        return {
            "step": self.step,
            "total": self.total,
            "net": self.net.state_dict(),
            "affine": {} if self.affine is None else self.affine.state_dict(),
            "scales": {} if self.scales is None else self.scales.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "noise": self.modes.noise,
            "kept": self.kept,
            "history": [asdict(epoch) for epoch in self.history],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.step, self.total, self.kept = state["step"], state["total"], state["kept"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        epoch, within = divmod(self.step, self.steps)
        if within and epoch < self.settings.exact_epochs:
            self.modes.exact()
        elif within and self.settings.forward == "noise":
            self.modes.noisy(state["noise"])
        self.net.load_state_dict(state["net"])
        if self.affine is not None:
            self.affine.load_state_dict(state["affine"])
        if self.scales is not None:
            self.scales.load_state_dict(state["scales"])
        self.optimizer.load_state_dict(state["optimizer"])


def rate_at(settings: Settings, step: int, steps: int) -> float:
    """The learning rate of a step (from 0)."""
    if settings.schedule == "constant":
        return settings.rate
    return settings.rate * (1 + math.cos(math.pi * step / steps)) / 2


def _pruned(layer: ApproxLayer) -> bool:
    return layer.reducer is not None and layer.reducer.reduction.mask(layer.weight.detach()) is not None


def _ranges_chosen(layer: ApproxLayer) -> bool:
    """Whether a recovery chose its weight codes, and so their scales, for the unit; these must not follow the weights then."""
    return any("weights" in stage.facts.changes for stage in recoveries.get(layer.rule.recovery).stages)


def _optimizer(settings: Settings, parameters: list[nn.Parameter], scales: list[nn.Parameter]) -> torch.optim.Optimizer:
    """scales: never decayed."""
    groups: list[dict[str, Any]] = [{"params": parameters}, *([{"params": scales, "weight_decay": 0.0}] if scales else [])]
    if settings.optimizer == "adam":
        return torch.optim.AdamW(groups, lr=settings.rate, weight_decay=settings.weight_decay)
    return torch.optim.SGD(groups, lr=settings.rate, momentum=settings.momentum, weight_decay=settings.weight_decay)


def _accuracy(net: ApproxModel, images: Images) -> float:
    parts = zip(torch.split(images.inputs, 250), torch.split(images.labels, 250), strict=True)
    return 100 * float(correct_answers(net, list(parts)).mean())
