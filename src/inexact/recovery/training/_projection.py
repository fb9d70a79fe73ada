"""Weights on which a unit is exact, and moving weights there."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from inexact.core.errors import PlanError
from inexact.core.workload import Coding
from inexact.nn import ApproxLayer, ApproxModel, Rule
from inexact.units import multipliers


def supported_codes(rule: Rule) -> NDArray[np.int64]:
    """The weight codes on which the rule's unit gives the exact product with every activation, ascending; int64.

    For units that multiply restricted weights (`asm`, `powers`, `csd`) these are the weights they hold.
    """
    return _supported(rule.unit.spec, rule.coding, rule.format.b_bits)


@lru_cache(maxsize=64)
def _supported(spec: str, coding: Coding, b_bits: int) -> NDArray[np.int64]:
    unit = multipliers.get(spec)
    table = unit.table().astype(np.int64)
    a = np.arange(table.shape[0])
    b = np.arange(min(table.shape[1], 2 ** (b_bits - 1) if coding == "sign_magnitude" else table.shape[1]))
    if coding == "signed":
        a, b = (np.where(codes >= len(codes) // 2, codes - len(codes), codes) for codes in (a, b))
    right = b[(table[:, : len(b)] == np.multiply.outer(a, b)).all(0)]
    if coding == "sign_magnitude":
        right = np.union1d(right, -right)
    if coding == "signed":
        right = right[right != -(2 ** (b_bits - 1))]  # no quantiser emits it
    return np.sort(right)


def check_projectable(net: ApproxModel) -> None:
    """Raise PlanError unless every approximate layer has integer codes and a unit that is exact on two weights or more."""
    for name, layer in net.layers().items():
        if layer.rule.format.b_grid is not None:
            raise PlanError(
                f"projection is for integer weights; {layer.rule.precision} in layer {name} rounds to its own values: leave projection away"
            )
        if isinstance(layer, ApproxLayer) and not layer.rule.exact and len(supported_codes(layer.rule)) < 2:
            raise PlanError(
                f"projection needs a unit that is exact on some weights (asm, powers, csd); {layer.rule.multiplier} in layer {name} is "
                f"exact on {len(supported_codes(layer.rule))}: leave projection away"
            )


@torch.no_grad()
def project(net: ApproxModel) -> None:
    """Every weight of the approximate layers to the value of the nearest supported code, the smaller one on a tie; scales stay."""
    for layer in net.layers().values():
        if not isinstance(layer, ApproxLayer) or layer.rule.exact:
            continue
        quantiser = layer.b_quantiser()
        held = torch.from_numpy(supported_codes(layer.rule)).to(layer.weight)
        held = held[(held >= quantiser.low) & (held <= quantiser.high)]
        layer.weight.copy_(quantiser.dequantise(nearest(quantiser.quantise(layer.weight), held)))


def nearest(codes: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """The nearest of the ascending values `held`; of two equally near the one of smaller size."""
    above = torch.searchsorted(held, codes.contiguous()).clamp(1, len(held) - 1)
    low, high = held[above - 1], held[above]
    to_low, to_high = codes - low, high - codes
    lower = (to_low < to_high) | ((to_low == to_high) & (low.abs() < high.abs()))
    return torch.where(lower, low, high)
