"""Cost of a unit relative to the exact 8x8 multiplier, from a declared gate-count model."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from inexact.core.estimate import Estimate
from inexact.units._base import Multiplier
from inexact.units._gates import GateCount, gate_costs
from inexact.units.exact import Exact


@dataclass(frozen=True, kw_only=True)
class RelativeCost:
    """Energy per operation, area and delay over those of the exact 8x8 array multiplier of the same signedness (= 1).

    A declared model, not silicon (`verified` is False): area = sum of cell areas of a straightforward realisation, energy = the
    same sum (every gate switches alike, so energy is proportional to area), delay = gate delays on the longest path. Sharing, sizing
    and glitches are not modelled. Spread of the area: two weight sets (cell areas, unit gates); of the energy: also how far the
    published power of real circuits is from their published area.
    """

    energy: Estimate
    area: Estimate
    delay: Estimate


@functools.lru_cache(maxsize=4096)
def relative_cost(unit: Multiplier) -> RelativeCost:
    """Relative cost of a multiplier. One without a known circuit (a table) is charged as the exact one of its width, and says so.

    Reference: cell areas of gscl45nm (OSU, FreePDK45); unit gates and energy after R. Zimmermann, PhD thesis, ETH Zurich, 1997
    """
    reference = Exact(signed=unit.signed).gates()
    gates = unit.gates()
    charged = Exact(signed=unit.signed, width=unit.width).gates() if gates is None else gates
    note = "" if gates is not None else "; no circuit known, charged as the exact multiplier of its width"
    tables = gate_costs()
    by_area, by_gates = (weighted(charged, table) / weighted(reference, table) for table in ("cell_area", "unit_gate"))
    spread = (min(by_area, by_gates), max(by_area, by_gates))
    source = tables["cell_area"]["source"] + note
    return RelativeCost(
        energy=_estimate(by_area, f"{source}; energy proportional to area", energy_spread(spread)),
        area=_estimate(by_area, source, spread),
        delay=_estimate(charged.levels / reference.levels, f"gate-count model ({tables['unit_delay']['source']}){note}", None),
    )


def energy_spread(area: tuple[float, float]) -> tuple[float, float]:
    """Where published power lay for circuits of such an area, as a span of relative energies; (1, 1) for the exact circuit."""
    table = gate_costs()["energy_over_area"]
    low = area[0] - table["saving_gain"] * abs(1 - area[0])
    high = area[1] + min(table["saving_loss"] * abs(1 - area[1]), table["rise"])
    return max(low, 0.0), high


def weighted(gates: GateCount, table: str) -> float:
    """Sum of the counts times the weights of one table of `gate_costs.toml`: "cell_area" in um2 or "unit_gate"."""
    weights = gate_costs()[table]
    return float(sum(count * weights[name] for name, count in gates.counts().items()))


def _estimate(value: float, source: str, spread: tuple[float, float] | None) -> Estimate:
    return Estimate(value=value, unit="1", source=source, spread=spread, verified=False)
