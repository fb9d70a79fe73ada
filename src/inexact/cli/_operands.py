"""The operands a passport is under: uniform, from a file of histograms, or those a layer of a network meets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inexact.core.errors import DataError, SpecError, near
from inexact.units import Multiplier

IMAGES = 512
"""Inputs of the validation split whose activations are counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Operands:
    """Histograms of a and b by bit pattern, and where they are from."""

    a: NDArray[np.generic]
    b: NDArray[np.generic]
    source: str


def operands_of(unit: Any, layer: str | None, data: str, coding: str | None, histograms: Path | None) -> Operands | None:
    """What `unit show` was asked for; None = uniform. Raises SpecError or DataError where that does not fit the unit."""
    if layer is None and histograms is None:
        return None
    if layer is not None and histograms is not None:
        raise SpecError("--layer and --histograms both say what the operands are; give one of them")
    if not isinstance(unit, Multiplier):
        raise SpecError("operand histograms belong to a multiplier of integers; operands of other units are no activation and weight codes")
    return _from_file(histograms) if histograms is not None else _from_layer(unit, str(layer), data, coding)


def _from_file(path: Path) -> Operands:
    try:
        with np.load(path, allow_pickle=False) as found:
            return Operands(a=found["a"], b=found["b"], source=str(path))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{path} must be an .npz with arrays a and b, counts by bit pattern: {error}") from error


def _from_layer(unit: Multiplier, layer: str, data: str, coding: str | None) -> Operands:
    from inexact import nn, zoo

    network, colon, name = layer.partition(":")
    if not colon:
        raise SpecError(f"--layer must be NETWORK:LAYER, as in lenet5:conv2, not {layer!r}")
    chosen = coding or ("signed" if unit.signed else "unsigned")
    a_bits, b_bits = unit.width
    # sign-magnitude coding keeps the weight's sign apart: b bits of the unit are bits of the magnitude
    plan = nn.Plan(precision=f"w{b_bits}a{a_bits}", coding=chosen, multiplier="exact")
    original = zoo.network(network, data=data)
    layers = nn.plannable(original)
    if name not in layers:
        raise DataError(f"{network} has no layer {name!r}{near(name, layers)} Layers: {', '.join(layers)}")
    images = zoo.data(data, "validation", IMAGES)
    emulated = nn.approximate(original, plan, calibrate=images)
    found = nn.operand_histograms(emulated, images, images=IMAGES)
    if name not in found:
        raise DataError(f"{name} of {network} multiplies two activations; histograms are of layers with weights: {', '.join(found)}")
    source = f"{network}:{name} on {IMAGES} validation inputs of {data}, {chosen} coding, w{b_bits}a{a_bits}"
    return Operands(a=found[name].a, b=found[name].b, source=source)
