"""Layers whose weight codes, and scales, may be chosen."""

from __future__ import annotations

import torch
from torch import Tensor

from inexact.core.errors import PlanError
from inexact.nn import ApproxLayer, Probe


def with_weights(probe: Probe, name: str) -> ApproxLayer | None:
    """The probe's layer; None for a product of two activations. Raises PlanError where its sums are not those of one table of integers."""
    layer = probe.layer
    if not isinstance(layer, ApproxLayer):
        return None
    form = layer.rule.format
    if layer.modes is not None:
        raise PlanError(f"{name} in layer {layer.name} needs a unit of one mode, but its weights have modes: take bias_correction there")
    if layer.mixture is not None or form.system is not None or form.block is not None:
        raise PlanError(
            f"{name} in layer {layer.name} needs integers of one width and scale, not {layer.rule.precision}: take bias_correction there"
        )
    return layer


def probe_now(layer: ApproxLayer, x: Tensor, reference: Tensor | None) -> Probe:
    """The layer under its present scales and zero points, uncorrected: x and reference as those of a probe."""
    a, b = layer.a_codes(x), layer.b_codes().detach()
    return Probe(layer, a, b, layer.approximate_sums(a, b).to(torch.int64), x=x, reference=reference)
