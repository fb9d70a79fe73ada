"""What `inexact unit` tells of a unit, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inexact.cli._operands import Operands
from inexact.cli._unit_catalogue import QUANTITIES, silicon
from inexact.core.errors import SpecError, near
from inexact.core.estimate import Estimate
from inexact.core.registry import parse_call
from inexact.metrics import anova, profile, weight_moments
from inexact.metrics.known import check_claims, known_table, name_mismatch, sentence
from inexact.metrics.wide import WideProfile
from inexact.units import Adder, Multiplier, adders, multipliers
from inexact.units import catalogue as shipped
from inexact.units._base import MAX_TABLE_BITS
from inexact.units.cost import relative_cost


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
    from inexact import hardware

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


def is_wide(unit: Multiplier | Adder) -> bool:
    """Whether its operands are too wide for a truth table."""
    return sum(unit.width) > MAX_TABLE_BITS


def identity(unit: Multiplier | Adder) -> dict[str, Any]:
    """What a unit is, whatever it computes with. sha256 is of its table; a wide unit has none."""
    kind = "adder" if isinstance(unit, Adder) else "multiplier"
    sha256 = None if is_wide(unit) else unit.sha256
    return {"spec": unit.spec, "kind": kind, "width": list(unit.width), "signed": unit.signed, "sha256": sha256}


def summary(unit: Multiplier | Adder, operands: Operands | None = None) -> dict[str, Any]:
    """One entry of `unit list --json`."""
    found = profile(unit) if operands is None else profile(unit, operands.a, operands.b)
    return identity(unit) | {"metrics": found.metrics(), "relative_cost": relative(unit), "cost": cost(unit)}


def relative(unit: Multiplier | Adder) -> dict[str, Any] | None:
    """Energy, area and delay over the exact 8x8 multiplier; None for adders and for units without a known circuit."""
    if isinstance(unit, Adder) or unit.gates() is None:
        return None
    found = relative_cost(unit)
    return {name: getattr(found, name).to_json() for name in ("energy", "area", "delay")}


def facts(unit: Multiplier | Adder, operands: Operands | None = None) -> dict[str, Any]:
    """The object of `unit show --json`."""
    entry = summary(unit, operands)
    traits = {name: entry["metrics"][name] for name in ("zero_exact", "commutative", "error_rank")}
    return entry | traits | {"operands": _operands_text(operands)} | engine(unit) | _background(unit) | _of_multiplier(unit, operands)


def contradictions(unit: Multiplier | Adder, claims: Sequence[str], name: str | None = None) -> list[str]:
    """What claims ("mae=53") and a file's name say that the unit's own table, under uniform operands, does not."""
    found = profile(unit)
    wrong = check_claims(found, dict(_claim(text, found.metrics()) for text in claims))
    called = name_mismatch(unit, name) if name is not None and isinstance(unit, Multiplier) else None
    return wrong if called is None else [*wrong, called]


def _claim(text: str, metrics: dict[str, Any]) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if not equals or name not in metrics:
        raise SpecError(f"a claim must be METRIC=VALUE, as in mae=53, not {text!r}{near(name, metrics)} Metrics: {', '.join(metrics)}")
    try:
        return name, float(value)
    except ValueError as error:
        raise SpecError(f"a claim's value must be a number, not {value!r}") from error


def wide_facts(unit: Multiplier | Adder, found: WideProfile) -> dict[str, Any]:
    """The object of `unit show --json` for a unit too wide for a table."""
    entry = identity(unit) | {"metrics": found.metrics(), "relative_cost": relative(unit), "cost": cost(unit)}
    sampled = {"exhaustive": found.exhaustive, "pairs": found.pairs, "intervals": {k: list(v) for k, v in found.intervals.items()}}
    how = "all pairs" if found.exhaustive else f"{found.pairs:,} pairs drawn by stratum; wce, wcre: the largest drawn"
    return entry | sampled | {"operands": f"uniform operands, {how}"} | engine(unit) | _background(unit)


def _operands_text(operands: Operands | None) -> str:
    return "uniform operands, all pairs" if operands is None else f"operands of {operands.source}"


def _background(unit: Multiplier | Adder) -> dict[str, Any]:
    gates = unit.gates()
    stored = shipped.entries().get(unit.spec)
    reference = (type(unit).__doc__ or "").partition("Reference:")[2]
    return {"gates": None if gates is None else gates.counts(), "reference": " ".join(reference.split()) or None} | {
        "silicon": None if stored is None else silicon(stored)
    }


def _of_multiplier(unit: Multiplier | Adder, operands: Operands | None) -> dict[str, Any]:
    """What only a multiplier's table tells: what it is known as, what a correction removes, the error of each weight."""
    if isinstance(unit, Adder):
        return {"known_as": None, "correction": None, "per_weight": None}
    a, b = (None, None) if operands is None else (operands.a, operands.b)
    known = known_table(unit)
    return {
        "known_as": None if known is None else sentence(known),
        "correction": anova(unit, a, b).figures(),
        "per_weight": weight_moments(unit, a).to_json(),
    }


def engine(unit: Multiplier | Adder) -> dict[str, Any]:
    """The emulation engine an ordinary layer runs on, and why; None for adders."""
    if isinstance(unit, Adder):
        return {"engine": None, "engine_why": None}
    if max(unit.width) > 8:
        how = "function, one by one" if unit.circuit() is None else "netlist, gate by gate"
        return {"engine": "circuit", "engine_why": f"operands of more than 8 bits have no table; products are formed by the {how}"}
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
