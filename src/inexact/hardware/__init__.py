"""The accelerator model: what a workload costs on a described machine, in cycles, picojoules and square micrometres.

`load("edge-16x16").evaluate(workload)` gives a `Cost`; `savings(cost, baseline_cost)` compares two at four boundaries.
"""

from inexact.hardware._accelerator import Accelerator, load
from inexact.hardware._constants import Constant, Technology
from inexact.hardware._cost import BOUNDARIES, COMPONENTS, Breakdown, Cost, LayerCost, area_saving, ceiling, savings
from inexact.hardware._description import presets
from inexact.hardware._evaluate import baseline, reference_multiplier
from inexact.hardware._mapping import DATAFLOWS, array_accesses, compute_cycles

__all__ = [
    "BOUNDARIES",
    "COMPONENTS",
    "DATAFLOWS",
    "Accelerator",
    "Breakdown",
    "Constant",
    "Cost",
    "LayerCost",
    "Technology",
    "area_saving",
    "array_accesses",
    "baseline",
    "ceiling",
    "compute_cycles",
    "load",
    "presets",
    "reference_multiplier",
    "savings",
]
