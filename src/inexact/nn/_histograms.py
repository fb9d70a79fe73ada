"""Which operands a unit really meets: histograms of the codes that enter each layer of a network."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inexact.core.errors import DataError
from inexact.nn._approximate import ApproxModel
from inexact.nn._data import Data, device_of, first_inputs
from inexact.nn._layer import ApproxLayer, Correction, Probe

Counts = NDArray[np.int64]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class OperandHistograms:
    """How often a layer's unit meets each operand, as `metrics.profile` takes it: int64 counts by bit pattern.

    a: [2**a_bits], activations with their padding, each as often as it is stored (not as often as windows reuse it). b: [2**b_bits],
    weights; under sign-magnitude coding magnitudes, as the unit sees them.
    """

    a: Counts
    b: Counts


@torch.no_grad()
def operand_histograms(model: ApproxModel, data: Data, *, images: int = 512) -> dict[str, OperandHistograms]:
    """Operand histograms of every emulated layer (not of products of two activations) over the first `images` inputs of `data`.

    The model is untouched. Raises DataError when no planned layer is met.
    """
    emulation = copy.deepcopy(model).eval()
    counts: dict[str, list[Tensor]] = {}
    for name, layer in emulation.layers().items():
        if isinstance(layer, ApproxLayer):
            layer.recoverer = _Counter(layer, counts.setdefault(name, []))
    inputs = first_inputs(data, images).to(device_of(model))
    for start in range(0, len(inputs), 128):
        emulation(inputs[start : start + 128])
    found = {name: _histograms(seen) for name, seen in counts.items() if seen}
    if not found:
        raise DataError("the plan must emulate a layer with weights that the data reaches; none was met")
    return found


class _Counter:
    """Stands where a recovery does: counts what the layer meets and leaves its correction as it is."""

    def __init__(self, layer: ApproxLayer, counts: list[Tensor]) -> None:
        self.layer = layer
        self.counts = counts

    def __call__(self, probe: Probe) -> Correction:
        layer, rule = self.layer, self.layer.rule
        b = probe.b.abs().to(torch.int64) if rule.coding == "sign_magnitude" else probe.patterns()
        self.counts[:] = [
            torch.bincount(layer.a_patterns(probe.a).flatten().long(), minlength=2**rule.format.a_bits)
            + (self.counts[0] if self.counts else 0),
            torch.bincount(b.flatten(), minlength=2**rule.format.b_bits),
        ]
        column = layer.column.clone() if layer.has_column else None
        return Correction(bias=layer.fold.clone(), gain=layer.gain.clone(), column=column)


def _histograms(seen: list[Tensor]) -> OperandHistograms:
    a, b = (counts.cpu().numpy().astype(np.int64) for counts in seen)
    return OperandHistograms(a=a, b=b)
