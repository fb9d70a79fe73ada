"""Networks as layer shapes: what claims about accelerators need of them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from inexact.core.errors import ClaimError, near
from inexact.core.workload import Arithmetic, LayerWorkload, Workload


def workload_of(
    network: str,
    layers: Sequence[str],
    a_bits: Sequence[int],
    b_bits: Sequence[int],
    *,
    coding: str,
    batch: int = 1,
    accumulator_bits: int = 32,
) -> Workload:
    """The named layers (none: all) with operands of so many bits: one number for all layers, or one a layer.

    Raises ClaimError for networks and layers without a shape, and for bits of another number of layers.
    """
    rows = [row for row in _rows(network) if not layers or row[0] in layers]
    if unknown := set(layers) - {row[0] for row in rows}:
        raise ClaimError(f"{network} has no layer {min(unknown)!r}; layers: {', '.join(row[0] for row in _rows(network))}")
    widths = []
    for name, bits in (("a_bits", a_bits), ("b_bits", b_bits)):
        if len(bits) not in {1, len(rows)}:
            raise ClaimError(f"{name} must hold one number, or one for each of the {len(rows)} layers, not {len(bits)}")
        widths.append(tuple(bits) * (len(rows) // len(bits)))
    found = []
    for row, a, b in zip(rows, *widths, strict=True):
        held = Arithmetic(a_bits=a, b_bits=b, accumulator_bits=accumulator_bits, coding=coding)
        found.append(_layer(row, held, batch))
    return Workload(network=network, layers=tuple(found))


def _layer(row: Sequence[Any], arithmetic: Arithmetic, batch: int) -> LayerWorkload:
    name, inputs, outputs, size, out, kernel, stride, groups = row
    loops = {"kernel": kernel, "stride": stride, "groups": groups, "batch": batch}
    return LayerWorkload.square(name, size, in_channels=inputs, out_channels=outputs, out=out, arithmetic=arithmetic, **loops)


def _rows(network: str) -> list[list[Any]]:
    known = _shapes()
    if network not in known:
        raise ClaimError(f"no shapes of a network called {network!r}{near(network, known)} Known: {', '.join(known)}")
    return known[network]


@functools.cache
def _shapes() -> dict[str, list[list[Any]]]:
    return tomllib.loads(resources.files("inexact.atlas.claims").joinpath("shapes.toml").read_text(encoding="utf-8"))
