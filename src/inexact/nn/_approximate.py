"""Applying a plan: a new module that computes exactly what the planned accelerator computes."""

from __future__ import annotations

import copy
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from inexact.core.errors import FormatError, PlanError
from inexact.nn._data import Data, device_of, first_inputs
from inexact.nn._fold import fold_batch_norm, replace_module
from inexact.nn._layer import ApproxLayer
from inexact.nn._plan import Plan
from inexact.nn.layers import ApproxConv2d, ApproxLinear
from inexact.precision import Observer

PLANNABLE = (nn.Conv2d, nn.Linear)


@final
class ApproxModel(nn.Module):
    """A network in which the planned layers are emulated; call it as the original.

    plan: the plan applied. input_shape: [C, H, W] or so of one calibration input, None before calibration.
    unfolded: names of batch norms left in float32. `state_dict()` holds everything but the plan and the structure.
    """

    def __init__(self, model: nn.Module, plan: Plan, input_shape: tuple[int, ...] | None, unfolded: list[str]) -> None:
        super().__init__()
        self.model = model
        self.plan = plan
        self.input_shape = input_shape
        self.unfolded = unfolded

    def forward(self, *inputs: Any) -> Any:
        """What the original network returns, computed as planned."""
        return self.model(*inputs)

    def layers(self) -> dict[str, ApproxConv2d | ApproxLinear]:
        """The emulated layers by their original names, in module order."""
        return {name: module for name, module in self.model.named_modules() if isinstance(module, (ApproxConv2d, ApproxLinear))}


def approximate(model: nn.Module, plan: Plan | str, calibrate: Data | None = None, *, calibration_size: int = 512) -> ApproxModel:
    """Replace the layers a plan covers by emulated ones; `model` is untouched.

    plan: a Plan, or a unit spec for every Conv2d and Linear.
    calibrate: inputs, (input, label) batches or a data set; the first `calibration_size` inputs fix the activation ranges in float32.
    Without it the result must be given a state dict before use.
    Raises PlanError for keys that match nothing and units that do not fit, FormatError for NaN weights, DataError for empty data.
    """
    plan = Plan(multiplier=plan) if isinstance(plan, str) else plan
    result = copy.deepcopy(model).eval()
    if not isinstance(model, nn.Module) or isinstance(model, ApproxModel):
        raise PlanError("model must be the float32 network; a plan cannot be applied on top of another")
    unfolded = fold_batch_norm(result)
    kinds = {name: type(module).__name__ for name, module in result.named_modules() if isinstance(module, PLANNABLE)}
    chosen = {name: rule for name, rule in plan.resolve(kinds).items() if rule is not None}
    sources = {name: result.get_submodule(name) for name in chosen}
    _check_weights(sources)
    inputs = None if calibrate is None else first_inputs(calibrate, calibration_size).to(device_of(result))
    seen = _observe(result, sources, inputs) if inputs is not None else {}
    for name, rule in chosen.items():
        source = sources[name]
        layer = ApproxConv2d(name, rule, source) if isinstance(source, nn.Conv2d) else ApproxLinear(name, rule, source)  # type: ignore[arg-type]
        if name in seen:
            layer.calibrate(*seen[name])
        replace_module(result, name, layer.to(next(source.parameters()).device).eval())
    return ApproxModel(result, plan, None if inputs is None else tuple(inputs.shape[1:]), unfolded).eval()


def _check_weights(sources: dict[str, nn.Module]) -> None:
    for name, module in sources.items():
        for kind, values in module.named_parameters():
            if not bool(torch.isfinite(values).all()):
                raise FormatError(f"{kind} of layer {name} must be finite; it holds NaN or infinity")


@torch.no_grad()
def _observe(model: nn.Module, sources: dict[str, nn.Module], inputs: Tensor) -> dict[str, tuple[Observer, Observer]]:
    """What enters and leaves each layer for these inputs, in float32."""
    seen = {name: (Observer(), Observer()) for name in sources}

    def watch(name: str) -> RemovableHandle:
        def hook(_module: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> None:
            seen[name][0].update(received[0])
            seen[name][1].update(output)

        return sources[name].register_forward_hook(hook)

    handles = [watch(name) for name in sources]
    try:
        for start in range(0, len(inputs), 128):
            model(inputs[start : start + 128])
    finally:
        for handle in handles:
            handle.remove()
    unreached = [name for name, (observer, _) in seen.items() if observer.low > observer.high]
    if unreached:
        raise PlanError(f"calibration must reach every planned layer; it never entered {', '.join(unreached)}: keep them out of the plan")
    return seen


def emulated_layers(model: nn.Module) -> dict[str, ApproxLayer]:
    """Emulated layers of any module by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, ApproxLayer)}
