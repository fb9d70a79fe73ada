"""Embodied carbon of a chip's silicon, where a source is known for its node."""

from __future__ import annotations

from inexact.core.errors import HardwareError
from inexact.core.estimate import Estimate
from inexact.hardware._cost import Cost

SOURCE = "ACT, Gupta et al., ISCA 2022, doi:10.1145/3470496.3527408, table 1 (facebookresearch/ACT b229290), 95 % of gases abated"

FAB: dict[str, tuple[float, float, float]] = {"28 nm": (0.90, 175.0, 500.0)}
"""Node -> (fab energy in kWh/cm2, gases in g CO2e/cm2, materials in g CO2e/cm2); older nodes are not in the source."""


def embodied_carbon(cost: Cost, *, intensity: float, fab_yield: float = 0.875) -> Estimate:
    """g CO2e of making the chip: area times (fab energy x `intensity` + gases + materials) over the yield; packaging and DRAM left out.

    intensity: of the fab's electricity in g CO2e/kWh. fab_yield: share of good dies; 0.875 is the source's default.
    Raises HardwareError for a node without a source, and values out of range.
    """
    if cost.node not in FAB:
        raise HardwareError(
            f"embodied carbon has a source for {', '.join(FAB)} only, not for {cost.node}; estimate it at one of these nodes"
        )
    if intensity < 0 or not 0 < fab_yield <= 1:
        raise HardwareError(f"intensity must be at least 0 and fab_yield in (0, 1], not {intensity} and {fab_yield}")
    energy, gases, materials = FAB[cost.node]
    area = cost.area_um2.total
    square_cm = area.value * 1e-8
    value = square_cm * (intensity * energy + gases + materials) / fab_yield
    return Estimate(
        value=value,
        unit="g CO2e",
        source=f"{SOURCE}; {intensity:g} g CO2e/kWh, yield {fab_yield:g}",
        node=cost.node,
        verified=area.verified,
    )
