"""Channels of a layer's inputs that are divided before they are coded, and whose weights hold the product."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from inexact.core.registry import calls_of

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer


@torch.no_grad()
def divide_channels(layer: ApproxLayer, divisors: Tensor) -> Tensor:
    """Divide the layer's input channels by `divisors`, positive float32 [C], from now on, and multiply its weights by them: in float32 it
    computes what it did. Scales and zero points stay as they are. Not for transposed convolutions, whose weights have channels first.

    Returns what an input that entered under the divisors before is divided by to be as inputs enter now; it broadcasts over inputs.
    """
    change = divisors if layer.divisors is None else divisors / layer.divisors
    weight = layer.weight
    rows = change.reshape(len(change) // weight.shape[1], -1)  # [groups, C / groups]
    rows = rows.repeat_interleave(len(weight) // len(rows), 0)
    weight.mul_(rows.reshape(*rows.shape, *[1] * (weight.dim() - 2)))
    layer.divisors = divisors.clone()
    return _over_inputs(layer, change)


def plans_division(recovery: str) -> bool:
    """Whether a recovery's spec has a stage that divides channels."""
    return any(isinstance(call.func, ast.Name) and call.func.id == "equalisation" for call in calls_of(recovery))


def load_divisors(layer: ApproxLayer, state: dict[str, Any], prefix: str, *_rest: Any) -> None:
    """Before a state dict is loaded: hold divisors if it does, and none if not."""
    found = state.get(f"{prefix}divisors")
    layer.divisors = None if found is None else torch.ones_like(found, device=layer.weight.device)


def divided(layer: nn.Module, received: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What enters a layer, as its first hook: all that reads its inputs after this sees them divided."""
    divisors: Tensor | None = layer.divisors  # type: ignore[assignment]
    return received if divisors is None else (received[0] / _over_inputs(layer, divisors), *received[1:])  # type: ignore[arg-type]


def _over_inputs(layer: ApproxLayer, values: Tensor) -> Tensor:
    """Values of the input channels, [C], so that they broadcast over an input."""
    return values.reshape(-1, *[1] * (layer.weight.dim() - 2))
