"""Channels of a layer's inputs that are divided before they are coded, and whose weights hold the product."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from inexact.core.registry import calls_of
from inexact.core.workload import LayerWorkload
from inexact.precision import Int

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer
    from inexact.nn._rule import Rule


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
    layer.divisors = None if bool((divisors == 1).all()) else divisors.clone()
    return _over_inputs(layer, change)


def planned_divisions(layers: Iterable[LayerWorkload], rules: Mapping[str, Rule | None]) -> set[str]:
    """The layers whose recovery has a stage that divides channels, of which they have several."""
    found = set[str]()
    for layer in layers:
        rule = rules.get(layer.name)
        if rule is not None and layer.kind in {"conv", "linear"} and layer.in_channels > 1 and _plans_division(rule.recovery):
            found.add(layer.name)
    return found


def _plans_division(recovery: str) -> bool:
    return any(isinstance(call.func, ast.Name) and call.func.id == "equalisation" for call in calls_of(recovery))


def with_divisions(layers: Iterable[LayerWorkload], rules: Mapping[str, Rule | None], divided: Collection[str]) -> list[LayerWorkload]:
    """Before each layer that `divided` names what divides its channels, unless the requantisation of the layer's source does."""
    return [
        part
        for layer in layers
        for part in ((_division(layer), layer) if layer.name in divided and not _requantises(rules.get(layer.source)) else (layer,))
    ]


def _requantises(rule: Rule | None) -> bool:
    """Whether a layer under a rule hands its sums on with a scale a channel, which divisors may be part of, and does not round before."""
    form = None if rule is None else rule.format
    return isinstance(form, Int) and form.granularity == "per_channel" and not form.integer_output


_SUFFIX = ".divisors"


def _division(layer: LayerWorkload) -> LayerWorkload:
    """What divides the input channels of a layer: a multiplication a value, by factors that the vector unit holds."""
    sizes = {f"{side}_{size}": getattr(layer, f"in_{size}") for side in ("in", "out") for size in ("channels", "h", "w")}
    return LayerWorkload(name=f"{layer.name}{_SUFFIX}", kind="multiply", batch=layer.batch, **sizes)


def served_layer(name: str) -> str:
    """The layer that a part of a workload belongs to: what divides channels to the layer that reads them, all else to itself."""
    return name.removesuffix(_SUFFIX)


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
