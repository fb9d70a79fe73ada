"""What `inexact unit` tells of a unit, as plain data."""

from __future__ import annotations

from typing import Any

from inexact import hardware
from inexact.core.estimate import Estimate
from inexact.core.registry import parse_call
from inexact.metrics import profile
from inexact.units import Adder, Multiplier, adders, multipliers
from inexact.units.cost import relative_cost

QUANTITIES = {"energy_pj": "energy", "area_um2": "area", "delay_ns": "delay", "leakage_nw": "area"}
"""Physical quantity -> relative cost it scales with (leakage goes with area)."""


def resolve(spec: str) -> Multiplier | Adder:
    """The multiplier or adder a spec describes; unknown names are reported with the multipliers' names."""
    name = getattr(parse_call(spec).func, "id", "")
    return adders.get(spec) if name in adders and name not in multipliers else multipliers.get(spec)


GIVEN = ("table", "netlist")
"""Members that are whatever file they are given: they have no usual parameters to list."""


def catalogue() -> list[Multiplier | Adder]:
    """Samples of every technique but the table, which has nothing of its own."""
    found: list[Multiplier | Adder] = [member for name, cls in multipliers.items() if name not in GIVEN for member in cls.samples()]
    return found + [member for _, cls in adders.items() for member in cls.samples()]


def cost(unit: Multiplier | Adder) -> dict[str, dict[str, Any] | None]:
    """area_um2, delay_ns, energy_pj, leakage_nw: a cited exact multiplier times the unit's relative cost; None where nothing is known."""
    if isinstance(unit, Adder) or unit.gates() is None:
        return dict.fromkeys(QUANTITIES)
    relative = relative_cost(unit)
    exact = hardware.reference_multiplier()
    return {name: scaled(exact[name], getattr(relative, kind)).to_json() for name, kind in QUANTITIES.items()}


def scaled(exact: Estimate, ratio: Estimate) -> Estimate:
    """A cited figure of the exact multiplier times a relative cost: both sources are named, the spreads multiply."""
    low, high = exact.spread or (exact.value, exact.value)
    least, most = ratio.spread or (ratio.value, ratio.value)
    return Estimate(
        value=exact.value * ratio.value,
        unit=exact.unit,
        source=f"exact 8x8 multiplier ({exact.source}) times relative cost ({ratio.source})",
        node=exact.node,
        spread=(low * least, high * most),
        verified=False,
    )


def summary(unit: Multiplier | Adder) -> dict[str, Any]:
    """One entry of `unit list --json`."""
    found = profile(unit)
    kind = "adder" if isinstance(unit, Adder) else "multiplier"
    head = {"spec": unit.spec, "kind": kind, "width": list(unit.width), "signed": unit.signed, "sha256": unit.sha256}
    metrics = found.metrics()
    return head | {"metrics": metrics, "relative_cost": relative(unit), "cost": cost(unit)}


def relative(unit: Multiplier | Adder) -> dict[str, Any] | None:
    """Energy, area and delay over the exact 8x8 multiplier; None for adders and for units without a known circuit."""
    if isinstance(unit, Adder) or unit.gates() is None:
        return None
    found = relative_cost(unit)
    return {name: getattr(found, name).to_json() for name in ("energy", "area", "delay")}


def facts(unit: Multiplier | Adder) -> dict[str, Any]:
    """The object of `unit show --json`."""
    entry = summary(unit)
    traits = {name: entry["metrics"][name] for name in ("zero_exact", "commutative", "error_rank")}
    gates = unit.gates()
    reference = (type(unit).__doc__ or "").partition("Reference:")[2]
    return (
        entry
        | traits
        | {
            **engine(unit),
            "gates": None if gates is None else gates.counts(),
            "reference": " ".join(reference.split()) or None,
        }
    )


def engine(unit: Multiplier | Adder) -> dict[str, Any]:
    """The emulation engine `auto` picks for an ordinary layer, and why; None for adders and for operands too wide for one."""
    if isinstance(unit, Adder) or max(unit.width) > 8:
        return {"engine": None, "engine_why": None}
    from inexact import kernels

    choice = kernels.choice_for(unit)
    return {"engine": choice.engine, "engine_why": choice.why}


def compared(units: list[Multiplier | Adder]) -> list[dict[str, Any]]:
    """Summaries, cheapest first. front: no other unit of the same kind, width and coding is as good in energy, mae and |mean error|."""
    rows = [summary(unit) for unit in units]
    for row in rows:
        rivals = [_point(other) for other in rows if all(other[name] == row[name] for name in ("kind", "width", "signed"))]
        point = _point(row)
        row["front"] = not any(other != point and all(x <= y for x, y in zip(other, point, strict=True)) for other in rivals)
    return sorted(rows, key=_point)


def _point(row: dict[str, Any]) -> tuple[float, float, float]:
    energy = row["relative_cost"]["energy"]["value"] if row["relative_cost"] else float("inf")
    return energy, row["metrics"]["mae"], abs(row["metrics"]["mean_error"])
