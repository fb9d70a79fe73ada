"""Trying scales in a layer: what its approximate output loses under them."""

from __future__ import annotations

import math
from typing import final

from torch import Tensor

from inexact.nn import ApproxLayer, ApproxLinear, Probe
from inexact.recovery._fold import fold
from inexact.recovery._weights import probe_now

LOOKED_AT = 128
"""Inputs that candidates are compared on, if more came; bias and gain are found on all."""

ROWS = 1024
"""Of a linear layer with several rows an input (tokens), so many, evenly spaced, of those of the inputs that are looked at."""


def goal_of(probe: Probe, layer: ApproxLayer, target: str) -> Tensor:
    """float32, what a layer should put out for a probe's inputs: its output in the float32 network, or that of its float32 weights."""
    if target == "network" and probe.reference is not None:
        return probe.reference
    assert probe.x is not None
    return layer.float_output(probe.x)


@final
class Trials:
    """A layer and what its output is judged on: inputs x as they enter it, and the output they should give, goal, float32."""

    def __init__(self, layer: ApproxLayer, x: Tensor, goal: Tensor, gain: bool) -> None:
        self.layer = layer
        self.x = x
        self.goal = goal
        self.gain = gain

    @classmethod
    def on_a_part(cls, layer: ApproxLayer, x: Tensor, goal: Tensor, *, gain: bool) -> Trials:
        """On the part of the inputs that candidates are compared on."""
        return cls(layer, _looked_at(layer, x), _looked_at(layer, goal), gain)

    def errors(self) -> Tensor:
        """float64 [O], mean squared error of the output after bias (and gain), under the layer's present scales and zero points."""
        probe = probe_now(self.layer, self.x, self.goal)
        found = fold(probe, gain=self.gain, target="network")
        sums, goal = probe.by_channel(probe.sums).double(), probe.by_channel(probe.target("network"))
        left = (sums - found.bias[:, None]) * found.gain[:, None] - goal
        scale = self.layer.scale() / self.layer.gain
        return left.square().mean(1) * scale.square()


def _looked_at(layer: ApproxLayer, values: Tensor) -> Tensor:
    looked_at = values[:LOOKED_AT]
    if not isinstance(layer, ApproxLinear) or values.dim() < 3:
        return looked_at
    rows = looked_at.flatten(0, -2)
    return rows[:: math.ceil(len(rows) / ROWS)]
