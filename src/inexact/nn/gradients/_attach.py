"""Gives an emulated layer's output the gradient its rule names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from inexact.nn._pass_through import pass_through
from inexact.nn.gradients._backward import Behind, EmulatedGradient, Errors
from inexact.nn.gradients._slopes import Slopes, error_slopes

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer


def slopes_of(layer: ApproxLayer) -> Slopes | None:
    """Slopes of the unit's error under the layer's rule, None where the gradient is straight-through."""
    rule = layer.rule
    if rule.exact or rule.gradient == "straight_through":
        return None
    column = layer.column.cpu().numpy().tobytes()
    slopes = error_slopes(rule.gradient, rule.unit.spec, rule.coding, rule.format.b_bits, column)
    return None if slopes.vanish else slopes.to(layer.weight.device)


def with_slopes(layer: ApproxLayer, x: Tensor, result: Tensor, slopes: Slopes) -> Tensor:
    """`result`, to the last bit, with the gradient of `gain * sum (x w + E) + bias`, E by its slopes."""
    operands = pass_through(layer.padded(x), layer.a_quantiser()), pass_through(layer.weight, layer.b_quantiser())
    behind = Behind(layer.contraction(), layer.channels_first, _errors(layer, operands, slopes))
    found: Tensor = EmulatedGradient.apply(*operands, layer.bias, result, behind)  # type: ignore[no-untyped-call]
    return found


def _errors(layer: ApproxLayer, operands: tuple[Tensor, Tensor], slopes: Slopes) -> Errors:
    form = layer.rule.format
    a, b = (q.quantise(part.detach()) for q, part in zip((layer.a_quantiser(), layer.b_quantiser()), operands, strict=True))
    return Errors(
        slopes=slopes,
        a=_patterns(a, form.a_bits),
        b=_patterns(b, form.b_bits),
        a_scale=layer.a_scale,
        b_scale=layer.b_scale,
        a_zero=int(layer.a_zero) & (2**form.a_bits - 1),
        channel_scale=layer.per_channel(layer.b_scale.reshape(-1)),
        gain=layer.per_channel(layer.gain.float()),
        outside=1 - layer.inside(a.shape) if layer.skips_padding else None,
    )


def _patterns(codes: Tensor, bits: int) -> Tensor:
    return torch.bitwise_and(codes.to(torch.int16), 2**bits - 1).to(torch.uint8)
