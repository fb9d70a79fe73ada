"""The family of recoveries, and applying them layer by layer."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import ClassVar

import torch

from inexact.core.errors import PlanError
from inexact.core.registry import Family, spec_of
from inexact.nn import ApproxModel, Correction, Data, Probe, device_of, first_inputs


class Recovery(ABC):
    """How one layer is corrected from what it computes on calibration data; members are frozen dataclasses with the hook `correct`."""

    family_name: ClassVar[str]

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    @abstractmethod
    def correct(self, probe: Probe) -> Correction:
        """The correction for one layer. The probe's inputs come through the layers before it, approximate and already corrected."""


recoveries: Family[Recovery] = Family("recovery", "inexact.recovery")


def recover(
    net: ApproxModel, recovery: str | Recovery | None = None, *, data: Data, seed: int | None = None, size: int = 128
) -> ApproxModel:
    """A corrected copy of an emulated network; weights do not change.

    recovery: spec for every emulated layer, or None to follow each rule's `recovery`. data: calibration inputs, the first `size` are used
    in one pass: each layer is corrected before its output reaches the next; thresholds and work of reductions are settled anew after it.
    seed: accepted by every recovery; those here draw nothing.
    Raises PlanError when `net` was not made by approximate(), UnknownNameError for unknown recoveries, DataError for empty data.
    """
    if not isinstance(net, ApproxModel):
        raise PlanError("recover() needs an emulated network: call approximate() first")
    result = copy.deepcopy(net)
    if recovery is not None:
        for layer in result.layers().values():
            layer.rule.but(recovery=recoveries.get(recovery).spec)  # a layer that cannot be corrected says so before the work
    chosen = {name: recoveries.get(recovery or layer.rule.recovery) for name, layer in result.layers().items()}
    inputs = first_inputs(data, size).to(device_of(result))
    layers = result.layers()
    try:
        for name, method in chosen.items():
            layers[name].recoverer = method.correct
        with torch.no_grad():
            result(inputs)
    finally:
        for layer in layers.values():
            layer.recoverer = None
    if recovery is not None:
        spec = recoveries.get(recovery).spec
        for layer in layers.values():
            layer.rule = layer.rule.but(recovery=spec)
    result.settle_reductions(inputs)
    return result
