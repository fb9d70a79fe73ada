"""Which operand pairs the units of a network meet, and how often a trigger fires on images."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact.core.errors import FormatError
from inexact.nn import ApproxLayer, ApproxModel
from inexact.nn._tables import coded_table
from inexact.units import Multiplier, from_table

Integers = NDArray[np.int64]
Hook = Callable[[nn.Module, tuple[Tensor, ...]], None]


def with_unit(net: ApproxModel, unit: Multiplier) -> ApproxModel:
    """The network with another unit in every layer that multiplies by weights; codes, scales and corrections stay."""
    changed = copy.deepcopy(net)
    for layer in weighted(changed).values():
        layer.restate(replace(layer.rule, multiplier=unit.spec))
    return changed


def weighted(net: ApproxModel) -> dict[str, ApproxLayer]:
    """The emulated layers that multiply by weights. Raises FormatError when there are none."""
    found = {name: layer for name, layer in net.layers().items() if isinstance(layer, ApproxLayer)}
    if not found:
        raise FormatError("the plan must emulate a layer with weights; it emulates none")
    return found


@torch.no_grad()
def pair_counts(net: ApproxModel, images: Tensor) -> Integers:
    """int64 [2**a_bits, 2**b_bits] by the unit's operand patterns: products of each pair in all Conv2d and Linear layers over `images`."""
    emulation = copy.deepcopy(net).eval()
    layers = weighted(emulation)
    rule = next(iter(layers.values())).rule
    counts = np.zeros((2**rule.format.a_bits, 2 ** rule.unit.width[1]), np.int64)

    def counter(layer: ApproxLayer) -> Hook:
        codes = layer.b_codes()
        patterns = codes.abs().long() if layer.rule.coding == "sign_magnitude" else layer.arithmetic.b_patterns(codes).long()

        def count(_module: nn.Module, received: tuple[Tensor, ...]) -> None:
            windows = layer.unrolled(layer.arithmetic.a_patterns(layer.a_codes(received[0])).float()).long()
            groups = windows.shape[1]
            stored = patterns.flatten(1).reshape(groups, -1, windows.shape[2])
            for group in range(groups):
                for k in range(windows.shape[2]):
                    seen = torch.bincount(windows[:, group, k], minlength=len(counts)).numpy()
                    used, times = np.unique(stored[group, :, k].numpy(), return_counts=True)
                    counts[:, used] += seen[:, None] * times

        return count

    for layer in layers.values():
        layer.register_forward_pre_hook(counter(layer))
    emulation(images)
    return counts


@torch.no_grad()
def firings(net: ApproxModel, covers: NDArray[np.bool_], images: Tensor) -> Integers:
    """int64 [images]: how many products of each image trigger, in the network as it is."""
    emulation = copy.deepcopy(net).eval()
    total = torch.zeros(len(images), dtype=torch.int64)
    unit = from_table(covers.astype(np.int32), signed=next(iter(weighted(emulation).values())).rule.coding == "signed")

    def counter(layer: ApproxLayer) -> Hook:
        rule = layer.rule
        triggered = np.abs(coded_table(unit.spec, rule.coding, rule.format.b_bits))  # a restored sign does not matter
        table = torch.from_numpy(triggered.copy())

        def count(_module: nn.Module, received: tuple[Tensor, ...]) -> None:
            a, b = layer.arithmetic.a_patterns(layer.a_codes(received[0])), layer.arithmetic.b_patterns(layer.b_codes())
            total.add_(layer.table_sums(a, b, table).flatten(1).sum(1, dtype=torch.int64))

        return count

    for layer in weighted(emulation).values():
        layer.register_forward_pre_hook(counter(layer))
    emulation(images)
    return total.numpy()
