"""Energy under four accounts: savings, their ceilings, and which components they come from."""

from __future__ import annotations

from inexact.core.estimate import Estimate
from inexact.report._values import Json, estimate, fixed, mapping, percent

BOUNDARIES = {
    "multiplier": "multipliers only",
    "array": "MAC array",
    "on_chip": "whole chip, without DRAM",
    "with_dram": "whole accelerator, with DRAM",
}
"""What energy a saving is a share of, from the narrowest to the widest account."""


def savings(best: Json) -> dict[str, Estimate]:
    """Savings in percent by boundary, in the order of `BOUNDARIES`; absent ones are left out."""
    found = {name: percent(mapping(best.get("savings")).get(name)) for name in BOUNDARIES}
    return {name: saving for name, saving in found.items() if saving}


def ceilings(best: Json) -> dict[str, Estimate]:
    """Largest saving in percent that multipliers alone can reach, by boundary: what multipliers of zero energy would give."""
    found = {name: percent(mapping(best.get("ceiling")).get(name)) for name in BOUNDARIES}
    return {name: value for name, value in found.items() if value}


def components(report: Json, design: str) -> dict[str, float]:
    """Component -> picojoules of the "baseline" or the "best" design; written plainly or under `by_component`."""
    found = mapping(mapping(report.get("energy")).get(design))
    found = mapping(found["by_component"]) if isinstance(found.get("by_component"), dict) else found
    values = {str(name): estimate(value) for name, value in found.items() if name != "total"}
    return {component_name(name): value.value for name, value in values.items() if value}


def component_name(name: str) -> str:
    """A component's name for people."""
    return "DRAM" if name == "dram" else name.replace("_", " ")


def contributions(report: Json) -> dict[str, float]:
    """Component -> points it contributes to the saving of the whole accelerator, largest first; negative where the design costs more."""
    before, after = components(report, "baseline"), components(report, "best")
    whole = sum(before.values())
    if not after or whole <= 0:
        return {}
    saved = {name: 100 * (before.get(name, 0.0) - after.get(name, 0.0)) / whole for name in {**before, **after}}
    return dict(sorted(saved.items(), key=lambda item: -item[1]))


def origin(report: Json, *, listed: int = 3) -> str:
    """One sentence on where the saving comes from; empty when it is not known or there is none."""
    parts = contributions(report)
    whole = sum(parts.values())
    leading = {name: value for name, value in parts.items() if value >= 0.05}
    if whole <= 0 or not leading:
        return ""
    shown = dict(list(leading.items())[:listed])
    words = [f"{name} {fixed(value, 1)}" for name, value in shown.items()]
    rest = whole - sum(shown.values())
    words += [f"all else {fixed(rest, 1)}"] if abs(rest) >= 0.05 else []
    return f"Of the {fixed(whole, 1)} % saved, in points: {', '.join(words)}."
