"""Energy of an accelerator some parts of which run at a lower voltage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from inexact.core.estimate import Estimate
from inexact.hardware import Cost, LayerCost


def scaled(layer: LayerCost, factors: Mapping[str, float]) -> LayerCost:
    """A layer whose components cost `factors` times their energy; those without a factor stay."""
    energy = {}
    for name, (value, low, high) in layer.energy.items():
        factor = factors.get(name, 1.0)
        energy[name] = (value * factor, low * factor, high * factor)
    return replace(layer, energy=energy)


def energies_of(cost: Cost, lowered: Collection[str]) -> dict[str, Estimate]:
    """pJ of one inference: "lowered", of the components named; "on_chip", of all but the DRAM; "with_dram"."""
    found = cost.energy_pj
    components = [estimate for name, estimate in found.by_component.items() if name in lowered]
    chip = [estimate for name, estimate in found.by_component.items() if name != "dram"]
    return {"lowered": _sum(components), "on_chip": _sum(chip), "with_dram": found.total}


def _sum(parts: Sequence[Estimate]) -> Estimate:
    ends = [part.spread or (part.value, part.value) for part in parts]
    return replace(
        parts[0],
        value=sum(part.value for part in parts),
        source="sum of components; " + "; ".join(dict.fromkeys(part.source for part in parts)),
        spread=(sum(low for low, _ in ends), sum(high for _, high in ends)),
        verified=all(part.verified for part in parts),
    )
