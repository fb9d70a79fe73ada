"""What one design saves over another: shares of energy and area, with the spread that constants common to both leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from inexact.core.estimate import Estimate
from inexact.hardware._boundaries import BOUNDARIES, within
from inexact.hardware._constants import Triple

if TYPE_CHECKING:
    from inexact.hardware._cost import Cost

Parts = dict[str, Triple]
"""Energy or area by component."""


def savings(cost: Cost, baseline: Cost) -> dict[str, Estimate]:
    """Energy saved over `baseline` in percent: multiplier, array, on_chip, with_dram.

    Both designs use the same constants at each corner of the spread. Negative: the design costs more.
    """
    own, other, how = cost.components, baseline.components, "energy saved over the exact 8-bit design"
    return {name: percent(cost, own, other, within(name, other), how=how, model=cost.model_factors) for name in BOUNDARIES}


def ceiling(baseline: Cost) -> dict[str, Estimate]:
    """Energy in percent that multipliers without switching and leakage would save at each boundary: the most they can (Amdahl)."""
    leak, own = baseline.components["leakage_array"], baseline.multiplier_leakage
    rest = (leak[0] - own[0], leak[1] - own[1], leak[2] - own[2])
    free = dict(baseline.components) | {"multipliers": (0.0, 0.0, 0.0), "leakage_array": rest}
    how = "share of the multipliers in the exact 8-bit design"
    return {name: percent(baseline, free, baseline.components, within(name, free), how=how) for name in BOUNDARIES}


def area_saving(cost: Cost, baseline: Cost) -> Estimate:
    """Area saved over `baseline` in percent, whole chip. Negative: the design is larger."""
    return percent(cost, cost.area, baseline.area, tuple(baseline.area), how="area saved over the exact 8-bit design")


def percent(
    cost: Cost, design: Parts, reference: Parts, names: tuple[str, ...], *, how: str, model: tuple[float, float] = (1.0, 1.0)
) -> Estimate:
    """100 * (1 - design / reference) over some components; the spread lets each component's constants be at either end in both.

    cost: of the design. model: its multipliers' energy at the ends of the units' cost model, over the nominal one. The share rests on a
    declared model only where one changes between the two.
    """
    value = 1 - _ratio([(design[name][0], reference[name][0]) for name in names])
    ends = []
    for factor, largest in ((model[0], False), (model[1], True)):
        choices = [
            [(design[name][end] * (factor if name == "multipliers" else 1.0), reference[name][end]) for end in range(3)] for name in names
        ]
        ends.append(1 - _extreme_ratio(choices, largest=largest))
    modelled = frozenset(name for name in cost.unverified.intersection(names) if design[name] != reference[name])
    return Estimate(
        value=100 * value,
        unit="%",
        source=f"accelerator model {cost.accelerator}: {how}" + ("; " + declared(modelled) if modelled else ""),
        node=cost.node,
        spread=(100 * min(*ends, value), 100 * max(*ends, value)),
        verified=not modelled,
    )


def declared(names: Iterable[str]) -> str:
    """What a source says of components that rest on a declared model."""
    return "declared model for " + ", ".join(sorted(name.replace("_", " ") for name in names))


def _ratio(pairs: list[tuple[float, float]]) -> float:
    below = sum(pair[1] for pair in pairs)
    return sum(pair[0] for pair in pairs) / below if below else 1.0


def _extreme_ratio(choices: list[list[tuple[float, float]]], *, largest: bool) -> float:
    """Extreme of sum(e) / sum(b) over one choice of (e, b) a component.

    Reference: Dinkelbach, On nonlinear fractional programming, Management Science 13(7), 1967, doi:10.1287/mnsc.13.7.492
    """
    pick = max if largest else min
    ratio = _ratio([options[0] for options in choices])
    for _ in range(50):
        best = _ratio([pick(options, key=lambda pair: pair[0] - ratio * pair[1]) for options in choices])
        if abs(best - ratio) <= 1e-15 * abs(ratio):
            break
        ratio = best
    return ratio
