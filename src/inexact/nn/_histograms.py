"""Which operands a unit really meets: histograms of the codes that enter each layer of a network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact.core.errors import DataError
from inexact.nn._approximate import ApproxModel
from inexact.nn._data import Data, device_of, first_inputs
from inexact.nn._layer import ApproxLayer
from inexact.units import Multiplier

Counts = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class OperandHistograms:
    """How often a layer's unit meets each operand, as `metrics.profile` takes it: int64 counts by bit pattern.

    a: [2**a_bits], activations with their padding, each as often as it is stored (not as often as windows reuse it). b: [2**b_bits],
    weights; under sign-magnitude coding magnitudes, as the unit sees them. modal: [2**mode_bits * 2**width_b], weights by the code of their
    mode and what the unit sees, where they have modes.
    """

    a: Counts
    b: Counts
    modal: Counts | None = None


@torch.no_grad()
def operand_histograms(model: ApproxModel, data: Data, *, images: int = 512) -> dict[str, OperandHistograms]:
    """Operand histograms of every emulated layer (not of products of two activations) over the first `images` inputs of `data`.

    The model is untouched. Raises DataError when no planned layer is met.
    """
    emulation = copy.deepcopy(model).eval()
    counts: dict[str, list[Tensor]] = {}
    for name, layer in emulation.layers().items():
        if isinstance(layer, ApproxLayer):
            layer.register_forward_pre_hook(_counter(layer, counts.setdefault(name, [])))
    inputs = first_inputs(data, images).to(device_of(model))
    for start in range(0, len(inputs), 128):
        emulation(inputs[start : start + 128])
    found = {name: _histograms(seen) for name, seen in counts.items() if seen}
    if not found:
        raise DataError("the plan must emulate a layer with weights that the data reaches; none was met")
    return found


def _counter(layer: ApproxLayer, counts: list[Tensor]) -> Callable[..., None]:
    """Counts what enters a layer, and once its weights."""
    rule = layer.rule

    def count(_layer: nn.Module, received: tuple[Tensor, ...]) -> None:
        a = torch.bincount(layer.arithmetic.a_patterns(layer.a_codes(received[0])).flatten().long(), minlength=2**rule.format.a_bits)
        if counts:
            counts[0] += a
            return
        b = layer.b_codes()
        patterns = b.abs() if rule.coding == "sign_magnitude" else layer.arithmetic.b_patterns(b)
        counts[:] = [a, torch.bincount(patterns.flatten().long(), minlength=2**rule.format.b_bits)]
        if layer.modes is not None and isinstance(rule.unit, Multiplier):
            size = 1 << rule.unit.width[1]
            seen = layer.modes.expand(patterns.shape).long() * size + patterns.long().clamp(max=size - 1)
            counts.append(torch.bincount(seen.flatten(), minlength=size << rule.unit.mode_bits))

    return count


def _histograms(seen: list[Tensor]) -> OperandHistograms:
    a, b, *modal = (counts.cpu().numpy().astype(np.int64) for counts in seen)
    return OperandHistograms(a=a, b=b, modal=modal[0] if modal else None)
