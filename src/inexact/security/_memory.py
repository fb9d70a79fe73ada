"""The weight memory of an emulated network: the words its layers' codes are stored as, and what a flipped bit makes of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from inexact.core.errors import DataError, FormatError, near
from inexact.core.words import Codes, codes_of, words_of
from inexact.nn import ApproxLayer, ApproxModel


@final
@dataclass(frozen=True, kw_only=True)
class Flip:
    """One bit of one stored weight. index: of the weight in its layer, flattened. bit: 0 = least significant. before, after: codes."""

    layer: str
    index: int
    bit: int
    before: int
    after: int


def memory_layer(net: ApproxModel, name: str) -> ApproxLayer:
    """The emulated layer whose weights lie in memory as integers.

    Raises DataError for an unknown name, FormatError for a layer that stays in float32 or whose weights are no plain integers.
    """
    layers = net.layers()
    if name in layers:
        layer = layers[name]
        if not isinstance(layer, ApproxLayer):
            raise FormatError(f"layer {name} must have weights, but it multiplies two activations; choose another layer")
        form = layer.rule.format
        if form.system is not None or form.block is not None or form.b_grid is not None or layer.mixture is not None:
            raise FormatError(f"weights of layer {name} must be stored as plain integers, not as {form.spec}; plan it as int8")
        if layer.rule.modes != "uniform":
            raise FormatError(
                f"layer {name} must multiply in one mode, not in one {layer.rule.modes.replace('_', ' ')}; give its rule no modes"
            )
        return layer
    if any(found == name and next(module.parameters(recurse=False), None) is not None for found, module in net.model.named_modules()):
        raise FormatError(f"weights of layer {name} must be stored as integers, but the plan leaves it in float32; plan it as int8")
    raise DataError(f"the network has no layer {name!r}{near(name, layers)} Layers: {', '.join(layers)}")


@final
class WeightMemory:
    """A copy of an emulated network whose stored weight bits can be flipped. Constants that correct for zero points are not stored with the
    weights: they stay as they were made from the honest ones.

    net: the copy; it computes with what the memory holds, to the last bit. layers: names of the layers in memory, all with weights when
    not given. Raises as `memory_layer`.
    """

    def __init__(self, net: ApproxModel, layers: Sequence[str] = ()) -> None:
        self.net = copy.deepcopy(net).eval()
        weighted = [name for name, layer in self.net.layers().items() if isinstance(layer, ApproxLayer)]
        self.layers = {name: memory_layer(self.net, name) for name in (layers or weighted)}
        self.codes: dict[str, Codes] = {}
        for name, layer in self.layers.items():
            layer.b_full_range = layer.rule.coding == "signed"
            self.codes[name] = layer.b_codes().detach().flatten().numpy().astype(np.int64)
            with torch.no_grad():
                layer.weight.copy_(layer.b_quantiser().dequantise(layer.b_codes()))

    @property
    def bits(self) -> int:
        """Bits in memory."""
        return sum(self.width(name) * len(codes) for name, codes in self.codes.items())

    def width(self, name: str) -> int:
        """Bits of one weight of a layer."""
        return self.layers[name].rule.format.b_bits

    def flipped(self, name: str) -> Codes:
        """int64 [weights, bits]: the code of every weight of a layer after flipping each of its bits."""
        bits, coding = self.width(name), self.layers[name].rule.coding
        words = words_of(self.codes[name], bits, coding)
        return codes_of(words[:, None] ^ (1 << np.arange(bits, dtype=np.int64)), bits, coding)

    def flip(self, name: str, index: int, bit: int) -> Flip:
        """Flip one bit; the network computes with it from now on."""
        before = int(self.codes[name][index])
        bits, coding = self.width(name), self.layers[name].rule.coding
        after = int(codes_of(words_of(np.array([before]), bits, coding) ^ (1 << bit), bits, coding)[0])
        self.write(name, index, after)
        return Flip(layer=name, index=index, bit=bit, before=before, after=after)

    def write(self, name: str, index: int, code: int) -> None:
        """Store a code."""
        layer, before = self.layers[name], int(self.codes[name][index])
        place = np.unravel_index(index, layer.weight.shape)
        scale, zero = (float(torch.broadcast_to(values, layer.weight.shape)[place]) for values in (layer.b_scale, layer.b_zero))
        with torch.no_grad():
            layer.weight[place] = (code - zero) * scale
            layer.fold[place[0]] -= int(layer.a_zero) * (code - before)
        self.codes[name][index] = code
