"""Applying recoveries to a network, layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from inexact.core.errors import DataError, PlanError
from inexact.nn import ApproxLayer, ApproxModel, Correction, Data, Emulated, Plan, Probe, device_of, first_inputs
from inexact.recovery._base import Recovery, recoveries


def recover(
    net: ApproxModel, recovery: str | Recovery | None = None, *, data: Data | None = None, seed: int | None = None, size: int | None = None
) -> ApproxModel:
    """A corrected copy of an emulated network, whose plan names the recovery. Nothing is trained; some recoveries choose weight codes.

    recovery: spec or chain for every emulated layer, or None to follow each rule's `recovery`. data: calibration inputs, of which the first
    `size` are used (by default as many as the recovery states), in one pass: each layer is corrected before its output reaches the next;
    thresholds and work of reductions are settled anew after it. Recoveries that need no inputs work without. A second call replaces
    bias, gain and columns, but starts from the weights as they then are.
    seed: accepted by every recovery; those here draw nothing.
    Raises PlanError when `net` was not made by approximate() or emulates no layer, UnknownNameError for unknown recoveries, DataError for
    absent, empty or too few data.
    """
    if not isinstance(net, ApproxModel):
        raise PlanError("recover() needs an emulated network: call approximate() first")
    result = copy.deepcopy(net)
    chosen = {name: recoveries.get(recovery or layer.rule.recovery) for name, layer in result.layers().items()}
    if recovery is not None:
        _name_in_plan(result, recoveries.get(recovery))
    inputs = _inputs(chosen, data, size)
    with torch.no_grad():
        if inputs is None:
            _without_inputs(result, chosen)
        else:
            inputs = inputs.to(device_of(result))
            _with_inputs(result, chosen, inputs)
            result.settle_reductions(inputs)
    return result


def _name_in_plan(net: ApproxModel, method: Recovery) -> None:
    if method.facts.changes and not net.layers():
        raise PlanError(f"{method.spec} needs a layer to correct, but the plan keeps every layer in float32: give one a rule")
    net.plan = Plan({key: rule and rule.but(recovery=method.spec) for key, rule in net.plan.rules.items()})
    for layer in net.layers().values():
        layer.rule = layer.rule.but(recovery=method.spec)


def _inputs(chosen: Mapping[str, Recovery], data: Data | None, size: int | None) -> Tensor | None:
    stages = [stage for method in chosen.values() for stage in method.stages]
    demanding = max(stages, key=lambda stage: stage.facts.least, default=None)
    least = 0 if demanding is None else demanding.facts.least
    if data is None:
        if demanding is not None and least:
            raise DataError(f"{demanding.spec} needs calibration inputs, at least {least}: give data=")
        return None
    found = first_inputs(data, max([128, *(stage.facts.inputs for stage in stages)]) if size is None else size)
    if demanding is not None and len(found) < least:
        raise DataError(f"{demanding.spec} needs at least {least} calibration inputs, but {len(found)} came: give more")
    return found


def _without_inputs(net: ApproxModel, chosen: Mapping[str, Recovery]) -> None:
    """Products of two activations hold no weights and are left as they are."""
    for name, layer in net.layers().items():
        if isinstance(layer, ApproxLayer):
            layer.correct(chosen[name].correct(layer.probe()))


def _with_inputs(net: ApproxModel, chosen: Mapping[str, Recovery], inputs: Tensor) -> None:
    layers = net.layers()
    compared = {name: layers[name] for name, method in chosen.items() if method.against_network}
    references = _network_outputs(net, compared, inputs) if compared else {}
    try:
        for name, method in chosen.items():
            layers[name].recoverer = _Stage(method, iter(references.get(name, ())))
        net(inputs)
    finally:
        for layer in layers.values():
            layer.recoverer = None


class _Stage:
    """Stands in a layer while it is corrected: hands the probe over, with the output of the float32 network of that call."""

    def __init__(self, method: Recovery, references: Iterator[Tensor]) -> None:
        self.method = method
        self.references = references

    def __call__(self, probe: Probe) -> Correction:
        probe.reference = next(self.references, None)
        return self.method.correct(probe)


def _network_outputs(net: ApproxModel, compared: Mapping[str, Emulated], inputs: Tensor) -> dict[str, list[Tensor]]:
    """What the layers put out in the float32 network, call by call. Costs the memory of these outputs for all inputs."""
    found: dict[str, list[Tensor]] = {name: [] for name in compared}
    with _in_float32(net.layers(), found):
        net(inputs)
    return found


@contextmanager
def _in_float32(layers: Mapping[str, Emulated], found: Mapping[str, list[Tensor]]) -> Iterator[None]:
    """Let the layers put out what they would in float32, and keep that of some."""

    def watch(name: str, layer: Emulated) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: nn.Module, received: tuple[Tensor, ...], _output: Tensor) -> Tensor:
            output = layer.float_output(*received)
            if name in found:
                found[name].append(output.clone())  # layers that follow may write in place
            return output

        return layer.register_forward_hook(hook)

    handles = [watch(name, layer) for name, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
