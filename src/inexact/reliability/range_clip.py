"""Range restriction: layer outputs beyond what calibration data gave are clipped or set to zero."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from inexact.core.errors import SpecError, near
from inexact.core.estimate import Estimate
from inexact.hardware import Accelerator, element_cost
from inexact.nn import ApproxLayer, ApproxModel, Emulated, OutputRange, workload
from inexact.reliability._mitigation import Mitigation, Overhead, mitigations

ACTIONS = ("clip", "zero")
SCOPES = ("per_channel", "per_tensor")
SOURCE = "declared model: two comparisons of every output as additions of the sum's width, comparators in every lane behind the array"


@mitigations.register("range_clip")
@final
@dataclass(frozen=True, kw_only=True)
class RangeClip(Mitigation):
    """Behind every emulated layer, outputs outside the range seen on calibration images become its end ("clip") or 0 ("zero").

    granularity: one range a layer ("per_tensor") or an output channel ("per_channel"; products of activations have one). headroom: the
    range is widened on both sides by this share of its width. Unlike the clipping of a quantiser at the next layer, it is known channel by
    channel, and what shortcuts carry past that quantiser is restricted too. Costs two comparisons an output and their bounds.

    Reference: Z. Chen, G. Li, K. Pattabiraman, A low-cost fault corrector for deep neural networks through range restriction, DSN 2021,
    doi:10.1109/DSN48987.2021.00018 (clip, one range a layer); L.-H. Hoang, M. A. Hanif, M. Shafique, FT-ClipAct, DATE 2020,
    doi:10.23919/DATE48585.2020.9116571 (zero)
    """

    action: str = "clip"
    granularity: str = "per_channel"
    headroom: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (("action", ACTIONS), ("granularity", SCOPES)):
            value = getattr(self, name)
            if value not in known:
                raise SpecError(f"{name} must be one of {', '.join(known)}, not {value!r}{near(str(value), known)}")
        if not isinstance(self.headroom, (int, float)) or not 0 <= self.headroom <= 10:
            raise SpecError(f"headroom must be a share from 0 to 10, not {self.headroom!r}")

    @torch.no_grad()
    def protected(self, net: ApproxModel, inputs: Tensor) -> ApproxModel:
        """Ranges come from the emulated outputs on all inputs."""
        result = copy.deepcopy(net)
        layers = {id(layer): layer for layer in result.layers().values()}
        seen: dict[int, tuple[Tensor, Tensor]] = {}

        def watch(module: nn.Module, _received: Any, output: Tensor) -> None:
            values = self._spread(layers[id(module)], output)
            low, high = values.amin(1), values.amax(1)
            before = seen.get(id(module), (low, high))
            seen[id(module)] = (torch.minimum(low, before[0]), torch.maximum(high, before[1]))

        handles = [layer.register_forward_hook(watch) for layer in layers.values()]
        for start in range(0, len(inputs), 128):
            result(inputs[start : start + 128])
        for handle in handles:
            handle.remove()
        for key, (low, high) in seen.items():
            layer, more = layers[key], self.headroom * (high - low)
            ends = (low - more, high + more)
            if isinstance(layer, ApproxLayer):
                ends = (layer.per_channel(ends[0]), layer.per_channel(ends[1]))
            layer.guard = OutputRange(*ends, zero=self.action == "zero")
        return result

    def _spread(self, layer: Emulated, output: Tensor) -> Tensor:
        """[ranges, everything else]."""
        if isinstance(layer, ApproxLayer) and self.granularity == "per_channel":
            return layer.channels_first(output)
        return output.reshape(1, -1)

    def overhead(self, net: ApproxModel, machine: Accelerator) -> Overhead:
        """Comparisons behind the array; bounds stand in registers and are not charged."""
        found = workload(net)
        cost = machine.evaluate(found)
        bits = max(layer.arithmetic.accumulator_bits for layer in found.multiplying)
        energy = machine.rates.add_bit[0] * 2 * sum(layer.outputs * layer.arithmetic.accumulator_bits for layer in found.multiplying)
        adder = element_cost("exact(signed=true)").adder.area / 32
        area = 2 * bits * adder * machine.postprocess_lanes
        node = machine.technology.node
        return Overhead(
            energy=Estimate(value=energy, unit="pJ", source=SOURCE, node=node, verified=False),
            energy_percent=100 * energy / cost.energy_pj.total.value,
            area=Estimate(value=area, unit="um2", source=SOURCE, node=node, verified=False),
            area_percent=100 * area / cost.area_um2.total.value,
        )
