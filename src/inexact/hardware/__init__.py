"""The accelerator model: what a workload costs on a described machine, in cycles, picojoules and square micrometres.

`load("edge-16x16").evaluate(workload)` gives a `Cost`; `savings(cost, baseline_cost)` compares two at four boundaries.
"""

from inexact.hardware._accelerator import Accelerator
from inexact.hardware._boundaries import ARRAY, BOUNDARIES, within
from inexact.hardware._constants import Constant, Technology, technology
from inexact.hardware._cost import Breakdown, Cost, LayerCost
from inexact.hardware._description import DATAFLOWS, presets
from inexact.hardware._evaluate import baseline, leanest_baseline, reference_multiplier
from inexact.hardware._load import load
from inexact.hardware._mapping import Mapping, array_accesses, compute_cycles
from inexact.hardware._operating import OperatingPoint, operating_points
from inexact.hardware._pe import ElementCost, element_cost
from inexact.hardware._rates import slowdown
from inexact.hardware._savings import area_saving, ceiling, savings
from inexact.hardware.carbon import embodied_carbon

__all__ = [
    "ARRAY",
    "BOUNDARIES",
    "DATAFLOWS",
    "Accelerator",
    "Breakdown",
    "Constant",
    "Cost",
    "ElementCost",
    "LayerCost",
    "Mapping",
    "OperatingPoint",
    "Technology",
    "area_saving",
    "array_accesses",
    "baseline",
    "ceiling",
    "compute_cycles",
    "element_cost",
    "embodied_carbon",
    "leanest_baseline",
    "load",
    "operating_points",
    "presets",
    "reference_multiplier",
    "savings",
    "slowdown",
    "technology",
    "within",
]
