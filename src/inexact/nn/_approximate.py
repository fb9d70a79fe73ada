"""Applying a plan: a new module that computes exactly what the planned accelerator computes."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.utils.hooks import RemovableHandle

from inexact.core.errors import FormatError, PlanError
from inexact.nn._data import Data, device_of, first_inputs
from inexact.nn._dissect import dissect
from inexact.nn._kinds import Emulated, emulated
from inexact.nn._layer import ApproxLayer
from inexact.nn._mixed import Mixture
from inexact.nn._plan import Plan
from inexact.nn._rectified import rectified
from inexact.nn._reduced import Reducer, check_calibrated
from inexact.nn._rule import Rule
from inexact.nn.exits import exits_of
from inexact.nn.products import ApproxProduct, Product
from inexact.precision import MixedFormat, Observer
from inexact.reduction import Prediction, Work, reductions

REDUCTION_INPUTS, REDUCTION_VALUES = (8, 64), 1 << 20
"""Calibration inputs (fewest, most) that thresholds and the work of reductions are measured on, and about how many values of them."""


@final
class ApproxModel(nn.Module):
    """A network in which the planned layers are emulated; call it as the original.

    plan: the plan applied. input_shape: [C, H, W] or so of one calibration input, None before calibration.
    unfolded: names of batch norms left in float32. unplanned: "module: function" of multiplications the network writes as function calls
    that no plan reaches; they stay in float32. `state_dict()` holds everything but the plan and the structure.
    """

    def __init__(
        self, model: nn.Module, plan: Plan, input_shape: tuple[int, ...] | None, unfolded: list[str], unplanned: list[str]
    ) -> None:
        super().__init__()
        self.model = model
        self.plan = plan
        self.input_shape = input_shape
        self.unfolded = unfolded
        self.unplanned = unplanned

    def forward(self, *inputs: Any) -> Any:
        """What the original network returns, computed as planned."""
        return self.model(*inputs)

    def layers(self) -> dict[str, Emulated]:
        """The emulated layers and products by their original names, in module order."""
        return {name: module for name, module in self.model.named_modules() if isinstance(module, (ApproxLayer, ApproxProduct))}

    def works(self) -> dict[str, Work]:
        """What the reductions of layers leave, as counted on calibration inputs; by layer, those with a reduction only."""
        return {name: reducer.measured for name, reducer in self._reducers().items()}

    @torch.no_grad()
    def settle_reductions(self, inputs: Tensor) -> None:
        """Fix the thresholds of predictions, layer after layer, and count the work that every reduction leaves.

        On the first 64 inputs; on fewer, but 8, where they are large.
        """
        few = inputs[: _few(inputs)]
        reducers = self._reducers()
        predictions = [reducer for reducer in reducers.values() if isinstance(reducer.reduction, Prediction)]
        for reducer in predictions:
            reducer.waiting = True
        for reducer in predictions:
            reducer.fitting, reducer.waiting = True, False
            self(few)
            reducer.fit()
            reducer.fitting = False
        for reducer in reducers.values():
            reducer.begin_counting()
        step = math.lcm(*(reducer.reduction.sequence for reducer in reducers.values()))
        step *= math.ceil(16 / step)  # sequences stay whole
        for start in range(0, len(few) if reducers else 0, step):
            self(few[start : start + step])
        for reducer in reducers.values():
            reducer.counting = False

    def mixtures(self) -> dict[str, dict[str, float]]:
        """What formats of several widths or scales were counted to have on calibration inputs; by layer, those with such a format."""
        return {name: mixture.found(name) for name, mixture in self._mixtures().items()}

    @torch.no_grad()
    def count_mixtures(self, inputs: Tensor) -> None:
        """Count the shares of such formats, on as many inputs as reductions are counted on."""
        few, mixtures = inputs[: _few(inputs)], self._mixtures().values()
        for mixture in mixtures:
            mixture.counts.zero_()
            mixture.counting = True
        for start in range(0, len(few) if mixtures else 0, 16):
            self(few[start : start + 16])
        for mixture in mixtures:
            mixture.counting = False

    def _mixtures(self) -> dict[str, Mixture]:
        found = ((name, layer.mixture) for name, layer in self.layers().items() if isinstance(layer, ApproxLayer))
        return {name: mixture for name, mixture in found if mixture is not None}

    def _reducers(self) -> dict[str, Reducer]:
        found = ((name, layer.reducer) for name, layer in self.layers().items() if isinstance(layer, ApproxLayer))
        return {name: reducer for name, reducer in found if reducer is not None}


def _few(inputs: Tensor) -> int:
    fewest, most = REDUCTION_INPUTS
    return min(most, max(fewest, REDUCTION_VALUES // max(1, inputs[:1].numel())))


def approximate(model: nn.Module, plan: Plan | str, calibrate: Data | None = None, *, calibration_size: int = 512) -> ApproxModel:
    """Replace the layers a plan covers by emulated ones; `model` is untouched.

    plan: a Plan, or a unit spec for everything `plannable` lists.
    calibrate: inputs, (input, label) batches or a data set; the first `calibration_size` inputs fix the activation ranges in float32.
    Without it the result must be given a state dict before use.
    Raises PlanError for keys that match nothing and units that do not fit, FormatError for NaN weights, DataError for empty data.
    """
    plan = Plan(multiplier=plan) if isinstance(plan, str) else plan
    _check_model(model)
    if not isinstance(plan, Plan):
        raise PlanError(f"plan must be a Plan or the spec of a unit, not {type(plan).__name__}; a file is read by Plan.load")
    _check_exits(model, plan)
    inputs = None if calibrate is None else first_inputs(calibrate, calibration_size).to(device_of(model))
    parts = dissect(model, inputs)
    chosen = {name: rule for name, rule in plan.resolve(parts.kinds).items() if rule is not None}
    sources = {name: parts.model.get_submodule(name) for name in chosen}
    _check_weights(sources)
    seen = _observe(parts.model, sources, chosen, inputs) if inputs is not None else {}
    needing = [name for name, rule in chosen.items() if reductions.get(rule.reduction).needs_rectifier]
    behind = rectified(parts.model, needing, inputs[:1]) if needing and inputs is not None else {}
    device = device_of(parts.model)
    for name, rule in chosen.items():
        source = sources.pop(name)  # one layer at a time: its weights are copied, then freed
        layer = emulated(name, rule, source)
        if name in seen:
            layer.calibrate(*seen[name])
        here = next(source.parameters(), None)
        parts.replace(name, layer.to(device if here is None else here.device).eval())
    shape = None if inputs is None else tuple(inputs.shape[1:])
    result = ApproxModel(parts.model, plan, shape, parts.unfolded, parts.unplanned).eval()
    if inputs is not None:
        _check_reductions(result, behind, {name: observers[0].low for name, observers in seen.items()})
        result.count_mixtures(inputs)
        result.settle_reductions(inputs)
    return result


def _check_exits(model: nn.Module, plan: Plan) -> None:
    """Raise PlanError unless the network has the exits that the plan asks for."""
    found = exits_of(model)
    has = () if found is None else found.after
    if plan.exits is not None and has != plan.exits.after:
        raise PlanError(
            f"a plan with exits after {', '.join(plan.exits.after)} must be applied to a network that has them, not after "
            f"{', '.join(has) or 'none'}: make it with nn.with_exits and train them"
        )


def _check_reductions(net: ApproxModel, behind: dict[str, bool], lowest: dict[str, float]) -> None:
    """Raise PlanError where what a layer sees (lowest: its least activation), or what sees its output, does not allow its reduction."""
    for name, layer in net.layers().items():
        if not isinstance(layer, ApproxLayer) or layer.reducer is None:
            continue
        check_calibrated(layer, lowest[name])
        if layer.reducer.reduction.needs_rectifier and not behind[name]:
            raise PlanError(
                f"{layer.reducer.reduction.spec} in layer {name} must be followed by a ReLU alone, but its output goes elsewhere; "
                "leave the layer's reduction away"
            )


def _check_model(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise PlanError(f"model must be an nn.Module, such as zoo.network('lenet5') or one of your own, not {model!r}")
    if isinstance(model, ApproxModel):
        raise PlanError("model must be the float32 network; a plan cannot be applied on top of another")
    if isinstance(model, torch.jit.ScriptModule):
        raise PlanError("model must be an nn.Module whose layers can be replaced; a ScriptModule hides them: give what it was made from")
    for name, values in model.named_parameters():
        if isinstance(values, UninitializedParameter):
            raise FormatError(f"parameter {name} must have its shape; run a batch through the network before it is approximated")
        if values.is_floating_point() and values.dtype != torch.float32:
            came = str(values.dtype).removeprefix("torch.")
            raise FormatError(f"parameters must be float32, and {name} is {came}: call model.float() first")


def _check_weights(sources: dict[str, nn.Module]) -> None:
    for name, module in sources.items():
        for kind, values in module.named_parameters():
            if not bool(torch.isfinite(values).all()):
                raise FormatError(f"{kind} of layer {name} must be finite; it holds NaN or infinity")


@torch.no_grad()
def _observe(model: nn.Module, sources: dict[str, nn.Module], rules: dict[str, Rule], inputs: Tensor) -> dict[str, tuple[Observer, ...]]:
    """What enters (one or two operands) and leaves each layer for these inputs, in float32."""
    seen = {name: _observers(rules[name], 3 if isinstance(source, Product) else 2) for name, source in sources.items()}

    def watch(name: str) -> RemovableHandle:
        def hook(_module: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> None:
            for observer, values in zip(seen[name], (*received, output), strict=True):
                observer.update(values)

        return sources[name].register_forward_hook(hook)

    handles = [watch(name) for name in sources]
    try:
        for start in range(0, len(inputs), 128):
            model(inputs[start : start + 128])
    finally:
        for handle in handles:
            handle.remove()
    unreached = [name for name, (observer, *_) in seen.items() if observer.low > observer.high]
    if unreached:
        raise PlanError(f"calibration must reach every planned layer; it never entered {', '.join(unreached)}: keep them out of the plan")
    return seen


def _observers(rule: Rule, count: int) -> tuple[Observer, ...]:
    """One of each operand and of the output; a mixed format looks at its activations itself."""
    first = rule.format.observer() if isinstance(rule.format, MixedFormat) else Observer()
    return (first, *(Observer() for _ in range(count - 1)))
