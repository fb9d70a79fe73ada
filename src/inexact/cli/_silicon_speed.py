"""How fast circuits are synthesised, measured and evolved on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from inexact.circuits import multiplier
from inexact.circuits.cells import library
from inexact.circuits.evolution import Costs, Goal, rates
from inexact.circuits.synthesis import Operands, Setup, Surroundings, measured, netlist, synthesise
from inexact.kernels import isa

GOALS = {
    "mae": (Goal(metric="mae"), 20.0),
    "mse": (Goal(metric="mse"), 900.0),
    "wce": (Goal(metric="wce"), 100.0),
    "rms_column": (Goal(metric="rms_column"), 20.0),
}
"""Goals and the bound they are searched under."""


def measure() -> dict[str, Any]:
    """Seconds per unit, and evaluations per second and core, of the exact 8x8 multiplier (Dadda); medians of five runs where repeated."""
    circuit = multiplier(8, kind="dadda")
    setup = Setup(recipe=None, cache=False)
    mapped = netlist(circuit, setup)
    before, after = Operands().drawn(circuit.inputs)
    evolution = {}
    for name, (goal, target) in GOALS.items():
        full, generations, simulated = rates(circuit, goal, target, Costs.of(library()))
        evolution[name] = {"full_per_s": full, "generations_per_s": generations, "simulated_per_s": simulated}
    return {
        "isa": isa(),
        "synthesis_and_power_s": _median(lambda: synthesise([circuit], setup), 3),
        "power_s": _median(lambda: measured(mapped, before, after, Surroundings()), 5),
        "transitions": len(before),
        "evolution": evolution,
    }


def text(found: dict[str, Any]) -> str:
    """Lines for people."""
    lines = [
        f"exact 8x8 multiplier, ISA {found['isa']}",
        f"synthesis, timing and power, a new Yosys process: {found['synthesis_and_power_s']:.2f} s",
        f"timing and power alone ({found['transitions']} transitions, with glitches and without): {found['power_s'] * 1e3:.0f} ms",
    ]
    for name, rate in found["evolution"].items():
        lines.append(
            f"evolution, {name}: {rate['full_per_s']:,.0f} full evaluations/s, {rate['generations_per_s']:,.0f} children/s "
            f"({rate['simulated_per_s']:,.0f} simulated), one thread"
        )
    return "\n".join(lines)


def _median(work: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
