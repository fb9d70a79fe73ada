"""What `inexact unit` tells of a unit, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inexact.cli._operands import Operands
from inexact.cli._unit_silicon import Held, held, modelled
from inexact.core.errors import SpecError, near
from inexact.metrics import anova, profile, weight_moments
from inexact.metrics.known import check_claims, known_table, name_mismatch, sentence
from inexact.metrics.wide import WideProfile, wide_profile
from inexact.units import Adder, FloatMultiplier, Function, Multiplier, adders, multipliers
from inexact.units import catalogue as shipped
from inexact.units._base import MAX_TABLE_BITS

GIVEN = ("table", "netlist")
"""Members that are whatever file they are given: they have no usual parameters to list."""


def catalogue() -> list[Multiplier | Adder]:
    """Samples of every technique but the table, which has nothing of its own."""
    found: list[Multiplier | Adder] = [member for name, cls in multipliers.items() if name not in GIVEN for member in cls.samples()]
    return found + [member for _, cls in adders.items() for member in cls.samples()]


def is_wide(unit: Multiplier | Adder) -> bool:
    """Whether its operands are too wide for a truth table."""
    return sum(unit.width) > MAX_TABLE_BITS


def identity(unit: Multiplier | Adder) -> dict[str, Any]:
    """What a unit is, whatever it computes with. sha256 is of its table; a wide unit has none."""
    kind = "adder" if isinstance(unit, Adder) else "multiplier"
    sha256 = None if is_wide(unit) else unit.sha256
    return {"spec": unit.spec, "kind": kind, "width": list(unit.width), "signed": unit.signed, "sha256": sha256}


def summary(unit: Multiplier | Adder, operands: Operands | None = None, silicon: Held | None = None) -> dict[str, Any]:
    """One entry of `unit list --json`, of units without a table from a sample. silicon: what it costs; None: by the gate-count model."""
    if is_wide(unit):
        return identity(unit) | {"metrics": wide_profile(unit).metrics()} | priced(unit, silicon)
    found = profile(unit) if operands is None else profile(unit, operands.a, operands.b)
    return identity(unit) | {"metrics": found.metrics()} | priced(unit, silicon)


def priced(unit: Multiplier | Adder, silicon: Held | None) -> dict[str, Any]:
    """cost and relative_cost of one source: silicon where there is any, else the gate-count model."""
    cost, relative = modelled(unit) if silicon is None else (silicon.cost, silicon.relative)
    return {"relative_cost": relative, "cost": cost}


def facts(unit: Multiplier | Adder, operands: Operands | None = None) -> dict[str, Any]:
    """The object of `unit show --json`."""
    silicon = held(unit)
    entry = summary(unit, operands, silicon)
    traits = {name: entry["metrics"][name] for name in ("zero_exact", "commutative", "error_rank")}
    return (
        entry
        | traits
        | {"operands": _operands_text(operands)}
        | engine(unit)
        | stated(unit)
        | silicon_facts(silicon)
        | _of_multiplier(unit, operands)
    )


def contradictions(unit: Multiplier | Adder, claims: Sequence[str], name: str | None = None) -> list[str]:
    """What claims ("mae=53") and a file's name say that the unit's own table, under uniform operands, does not."""
    found = profile(unit)
    wrong = check_claims(found, dict(_claim(text, found.metrics()) for text in claims))
    called = name_mismatch(unit, name) if name is not None and isinstance(unit, Multiplier) else None
    return wrong if called is None else [*wrong, called]


def _claim(text: str, metrics: dict[str, Any]) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    if not equals or name not in metrics:
        close = "." if name in metrics else near(name, metrics)
        raise SpecError(f"a claim must be METRIC=VALUE, as in mae=53, not {text!r}{close} Metrics: {', '.join(metrics)}")
    try:
        return name, float(value)
    except ValueError as error:
        raise SpecError(f"a claim's value must be a number, not {value!r}") from error


def wide_facts(unit: Multiplier | Adder, found: WideProfile) -> dict[str, Any]:
    """The object of `unit show --json` for a unit too wide for a table."""
    silicon = held(unit)
    entry = identity(unit) | {"metrics": found.metrics()} | priced(unit, silicon)
    sampled = {"exhaustive": found.exhaustive, "pairs": found.pairs, "intervals": {k: list(v) for k, v in found.intervals.items()}}
    how = "all pairs" if found.exhaustive else f"{found.pairs:,} pairs drawn by stratum; wce, wcre: the largest drawn"
    return entry | sampled | {"operands": f"uniform operands, {how}"} | engine(unit) | stated(unit) | silicon_facts(silicon)


def _operands_text(operands: Operands | None) -> str:
    return "uniform operands, all pairs" if operands is None else f"operands of {operands.source}"


def stated(unit: Multiplier | Adder | Function | FloatMultiplier) -> dict[str, Any]:
    """Gates of a straightforward realisation (of multipliers, adders and functions), and the reference."""
    gates = None if isinstance(unit, FloatMultiplier) else unit.gates()
    reference = (type(unit).__doc__ or "").partition("Reference:")[2]
    return {"gates": None if gates is None else gates.counts(), "reference": " ".join(reference.split()) or None}


def silicon_facts(silicon: Held | None) -> dict[str, Any]:
    """Silicon of a unit's own netlist, where it is from, and what of the unit the netlist is."""
    if silicon is None:
        return dict.fromkeys(("silicon", "silicon_origin", "silicon_of"))
    return {"silicon": silicon.figures, "silicon_origin": silicon.origin, "silicon_of": silicon.form or "the unit"}


def same_table(unit: Multiplier | Adder) -> list[str]:
    """Other units of the catalogue with this unit's width, sign and table."""
    found = shipped.entries().values()
    kind, own = ("adder" if isinstance(unit, Adder) else "multiplier"), (unit.width, unit.signed, unit.sha256)
    return [x.spec for x in found if x.kind == kind and (x.width, x.signed, x.sha256) == own and x.spec != unit.spec]


def _of_multiplier(unit: Multiplier | Adder, operands: Operands | None) -> dict[str, Any]:
    """What only a multiplier's table tells: what it is known as, what a correction removes, the error of each weight."""
    if isinstance(unit, Adder):
        return {"known_as": None, "same_table_as": same_table(unit), "correction": None, "per_weight": None}
    a, b = (None, None) if operands is None else (operands.a, operands.b)
    known = known_table(unit)
    return {
        "known_as": None if known is None else sentence(known),
        "same_table_as": same_table(unit),
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
    """Summaries, cheapest first. front: no other unit of the same kind, width and coding is as good in energy, mae and |mean error|.

    Costs are of one kind: silicon when every unit with a known circuit has it, else the gate-count model's.
    """
    silicon = [held(unit) for unit in units]
    if any(found is None and unit.gates() is not None for found, unit in zip(silicon, units, strict=True)):
        silicon = [None] * len(units)
    rows = [summary(unit, silicon=found) for unit, found in zip(units, silicon, strict=True)]
    for row in rows:
        rivals = [_point(other) for other in rows if all(other[name] == row[name] for name in ("kind", "width", "signed"))]
        point = _point(row)
        row["front"] = not any(other != point and all(x <= y for x, y in zip(other, point, strict=True)) for other in rivals)
    return sorted(rows, key=_point)


def _point(row: dict[str, Any]) -> tuple[float, float, float]:
    energy = row["cost"]["energy_pj"]
    return float("inf") if energy is None else energy["value"], row["metrics"]["mae"], abs(row["metrics"]["mean_error"])
