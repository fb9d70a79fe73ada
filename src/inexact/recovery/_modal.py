"""Layers whose weights have modes, as recoveries that choose them need them."""

from __future__ import annotations

from typing import TypeVar

from inexact.core.errors import PlanError
from inexact.nn import ApproxLayer, Probe
from inexact.units import Multiplier

Unit = TypeVar("Unit", bound=Multiplier)


def modal_layer(probe: Probe, name: str, kind: type[Unit], granularities: tuple[str, ...]) -> tuple[ApproxLayer, Unit]:
    """The probe's layer and its unit. Raises PlanError for another unit, and for modes of another granularity."""
    layer, rule = probe.layer, probe.layer.rule
    unit = rule.unit
    if not isinstance(layer, ApproxLayer) or not isinstance(unit, kind):
        raise PlanError(
            f"{name} in layer {layer.name} chooses modes of {kind.family_name}, but its unit is {unit.spec}: change one of them"
        )
    if rule.modes not in granularities:
        wanted = " or ".join(map(repr, granularities))
        raise PlanError(f"{name} in layer {layer.name} needs modes = {wanted} in the layer's rule, not {rule.modes!r}")
    return layer, unit
