"""Silicon figures of circuits: synthesis to library cells, static timing, power with and without glitches.

>>> from inexact import circuits
>>> from inexact.circuits.synthesis import Setup, synthesise
>>> (record,) = synthesise([circuits.multiplier(4)], Setup(recipe="unoptimised", cache=False))
>>> record.area.unit, record.energy.unit, record.conditions.recipe
('um2', 'pJ', 'unoptimised')
"""

from __future__ import annotations

from inexact.circuits.synthesis._constant_timing import constant_delay
from inexact.circuits.synthesis._mac import LEVELS, Level, Registers, core_surroundings, cycle_time, mac_core, registers
from inexact.circuits.synthesis._mapped import Mapped, Placed
from inexact.circuits.synthesis._measure import Operands, Surroundings, critical_path, delay, event_delays, measured, timing, toggles
from inexact.circuits.synthesis._recipes import DEFAULT_RECIPE, RECIPES, cell_areas
from inexact.circuits.synthesis._run import Setup, netlist, synthesise
from inexact.circuits.synthesis._sampling import LateSums, Sampled, Sampler, late_sums
from inexact.circuits.synthesis._serial import synthesise_serial
from inexact.circuits.synthesis._silicon import FIGURES, Conditions, Silicon, pareto, ratios, require_comparable
from inexact.circuits.synthesis._text import mapped_verilog
from inexact.circuits.synthesis._yosys import Yosys

__all__ = [
    "DEFAULT_RECIPE",
    "FIGURES",
    "LEVELS",
    "RECIPES",
    "Conditions",
    "LateSums",
    "Level",
    "Mapped",
    "Operands",
    "Placed",
    "Registers",
    "Sampled",
    "Sampler",
    "Setup",
    "Silicon",
    "Surroundings",
    "Yosys",
    "cell_areas",
    "constant_delay",
    "core_surroundings",
    "critical_path",
    "cycle_time",
    "delay",
    "event_delays",
    "late_sums",
    "mac_core",
    "mapped_verilog",
    "measured",
    "netlist",
    "pareto",
    "ratios",
    "registers",
    "require_comparable",
    "synthesise",
    "synthesise_serial",
    "timing",
    "toggles",
]
