"""The shipped catalogue as `inexact unit list` tells it. Imports little, since the list is to be there at once."""

from __future__ import annotations

import functools
import itertools
from typing import Any

from inexact.core.estimate import Estimate
from inexact.units import catalogue

QUANTITIES = {"energy_pj": "energy", "area_um2": "area", "delay_ns": "delay", "leakage_nw": "area"}
"""Physical quantity -> relative cost it scales with (leakage goes with area)."""


def priced(limit: int | None = None) -> list[dict[str, Any]]:
    """The shipped catalogue, or its first `limit` units, as entries of `unit list --json`, with silicon figures; relative costs are over
    the exact 8x8 multiplier of the same sign under the same conditions. Without a catalogue file: the samples, by the gate-count model.
    """
    stored = catalogue.entries()
    if not stored:
        from inexact.cli import _unit_facts as facts

        return [facts.summary(member) for member in itertools.islice(facts.catalogue(), limit)]
    return [_priced(entry) for entry in itertools.islice(stored.values(), limit)]


def count() -> int:
    """How many units `priced` knows."""
    stored = catalogue.entries()
    if stored:
        return len(stored)
    from inexact.cli import _unit_facts as facts

    return len(facts.catalogue())


def _priced(entry: catalogue.Entry) -> dict[str, Any]:
    held = silicon(entry)
    relative = None
    if entry.kind == "multiplier":
        exact = catalogue.entries()[f"exact{'(signed=true)' if entry.signed else ''}"].silicon
        source = f"over {'signed' if entry.signed else 'unsigned'} exact 8x8; {_source()}"
        relative = {
            name: Estimate(value=entry.silicon[figure] / exact[figure], unit="1", source=source).to_json()
            for name, figure in (("energy", "energy_pj"), ("area", "area_um2"), ("delay", "delay_ns"))
        }
    return {
        "spec": entry.spec,
        "kind": entry.kind,
        "width": list(entry.width),
        "signed": entry.signed,
        "sha256": entry.sha256,
        "metrics": entry.metrics,
        "relative_cost": relative,
        "cost": {name: held[name] for name in QUANTITIES},
        "settled_energy_pj": held["settled_energy_pj"],
    }


def silicon(entry: catalogue.Entry) -> dict[str, dict[str, Any]]:
    """The figures of a catalogue entry as JSON estimates, by name."""
    units = {"area_um2": "um2", "delay_ns": "ns", "energy_pj": "pJ", "settled_energy_pj": "pJ", "leakage_nw": "nW"}
    spreads = {"energy_pj": entry.energy_interval}
    return {
        name: Estimate(value=value, unit=units[name], source=_source(), node="45 nm", spread=spreads.get(name)).to_json()
        for name, value in entry.silicon.items()
    }


@functools.lru_cache(maxsize=1)
def _source() -> str:
    held = catalogue.conditions()
    return f"recipe {held['recipe']} by {held['tool']} on {held['library']}, {held['corner']}, {held['operands']} operands"
