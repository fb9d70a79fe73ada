"""The shipped catalogue as `inexact unit list` tells it. Imports little, since the list is to be there at once."""

from __future__ import annotations

import functools
from typing import Any

from inexact.cli._unit_query import selected
from inexact.core.estimate import Estimate
from inexact.units import catalogue

QUANTITIES = {"energy_pj": "energy", "area_um2": "area", "delay_ns": "delay", "leakage_nw": "area"}
"""Physical quantity -> relative cost it scales with (leakage goes with area)."""

SILICON = ("um2", "pJ")
"""Heads of the columns of `silicon_cells`."""

SILICON_NOTE = "um2, pJ: silicon of the unit's own netlist; `unit show` says what of the unit that is, and under which conditions."

RELATIVE = {"energy": "energy_pj", "area": "area_um2", "delay": "delay_ns"}
"""Relative cost -> the figure it is the ratio of."""


def listed(where: str | None, sort: str | None, limit: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """The first `limit` entries of `unit list --json` among those chosen, with silicon figures, and how many were chosen.

    Relative costs are over the exact 8x8 multiplier of the same sign under the same conditions. Without a catalogue file: the samples,
    by the gate-count model. Raises SpecError for an expression that cannot be read.
    """
    stored = list(catalogue.entries().values())
    if not stored:
        from inexact.cli import _unit_facts as facts

        rows = selected([facts.summary(member) for member in facts.catalogue()], where, sort)
        return rows[:limit], len(rows)
    found = stored if where is None and sort is None else selected(stored, where, sort, known=known)
    return [priced(entry) for entry in found[:limit]], len(found)


def known(entry: catalogue.Entry) -> dict[str, Any]:
    """What an expression may name of an entry: `names(priced(entry))`, without the estimates around the figures."""
    relative = _relative(entry)
    return {
        **entry.metrics,
        **{name: relative.get(name) for name in RELATIVE},
        **{name: entry.silicon[name] for name in QUANTITIES},
        "settled_energy_pj": entry.silicon["settled_energy_pj"],
        "spec": entry.spec,
        "family": entry.family,
        "kind": entry.kind,
        "signed": entry.signed,
        "width_a": entry.width[0],
        "width_b": entry.width[1],
    }


def priced(entry: catalogue.Entry) -> dict[str, Any]:
    """One entry of `unit list --json`."""
    held = silicon(entry)
    source = f"over {'signed' if entry.signed else 'unsigned'} exact 8x8; {_source()}"
    relative = {name: Estimate(value=value, unit="1", source=source).to_json() for name, value in _relative(entry).items()}
    return {
        "spec": entry.spec,
        "kind": entry.kind,
        "width": list(entry.width),
        "signed": entry.signed,
        "sha256": entry.sha256,
        "metrics": entry.metrics,
        "relative_cost": relative or None,
        "cost": {name: held[name] for name in QUANTITIES},
        "settled_energy_pj": held["settled_energy_pj"],
    }


def _relative(entry: catalogue.Entry) -> dict[str, float]:
    """Over the exact 8x8 multiplier of the same sign; empty for adders."""
    if entry.kind != "multiplier":
        return {}
    exact = catalogue.entries()[f"exact{'(signed=true)' if entry.signed else ''}"].silicon
    return {name: entry.silicon[figure] / exact[figure] for name, figure in RELATIVE.items()}


def silicon(entry: catalogue.Entry | catalogue.Other) -> dict[str, dict[str, Any]]:
    """The figures of a catalogue entry as JSON estimates, by name."""
    units = {"area_um2": "um2", "delay_ns": "ns", "energy_pj": "pJ", "settled_energy_pj": "pJ", "leakage_nw": "nW"}
    spreads = {"energy_pj": entry.energy_interval}
    return {
        name: Estimate(value=value, unit=units[name], source=_source(), node="45 nm", spread=spreads.get(name)).to_json()
        for name, value in entry.silicon.items()
    }


def silicon_cells(spec: str) -> list[str]:
    """Area in um2 and energy in pJ of a function or a multiplier of floats, as text; "-" where the catalogue has none."""
    held = catalogue.others().get(spec)
    return ["-", "-"] if held is None else [f"{held.silicon[name]:.4g}" for name in ("area_um2", "energy_pj")]


@functools.lru_cache(maxsize=1)
def _source() -> str:
    held = catalogue.conditions()
    return f"recipe {held['recipe']} by {held['tool']} on {held['library']}, {held['corner']}, {held['operands']} operands"
