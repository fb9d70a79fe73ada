"""What a shorter critical path is worth: spent on speed, or on a lower supply of the array."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inexact.core.errors import HardwareError
from inexact.core.workload import Workload
from inexact.hardware._cost import Cost
from inexact.hardware._rates import voltage_for
from inexact.hardware._silicon import demands, elements
from inexact.hardware._subword import products_at_once

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A design at one clock and array voltage. name: "nominal", "speed" or "voltage"."""

    name: str
    clock_mhz: float
    voltage_v: float
    cost: Cost


def operating_points(machine: Accelerator, workload: Workload, reference: Workload) -> dict[str, OperatingPoint]:
    """The design as it is; with its clock raised by what its elements are faster than the reference's; and with its array's voltage lowered
    until they are as slow, elements that split (`subword`) also at the lower clock that keeps the reference's throughput. Delay by the
    alpha-power law, switching energy by the square of the voltage; memories and DRAM keep theirs.

    Points that a slower design, or one without multipliers of integers, does not have are left out. Raises HardwareError as
    `Accelerator.evaluate`, and for bit-serial elements, whose path is not synthesised.
    """
    if machine.style.startswith("serial"):
        raise HardwareError(
            f"the path of the bit-serial elements of {machine.name} is not synthesised, so it cannot be spent on speed or voltage"
        )
    clock, voltage = machine.numbers["array.clock_mhz"].value, machine.voltage
    found = {"nominal": OperatingPoint(name="nominal", clock_mhz=clock, voltage_v=voltage, cost=machine.evaluate(workload))}
    own, other = _path(machine, workload), _path(machine, reference)
    # Elements that split form more products a cycle: at the reference's throughput their clock may fall by as much.
    spare = _at_once(machine, workload) / _at_once(machine, reference)
    if not own < other * spare < math.inf:
        return found
    faster = machine.at(clock_mhz=clock * other / own, check=False)
    found["speed"] = OperatingPoint(name="speed", clock_mhz=clock * other / own, voltage_v=voltage, cost=faster.evaluate(workload))
    if "array.voltage_v" not in machine.numbers:  # from the nominal supply
        lower = voltage_for(machine.technology, spare * other / own)
        slower = machine.at(clock_mhz=clock / spare, voltage_v=lower, check=False)
        found["voltage"] = OperatingPoint(name="voltage", clock_mhz=clock / spare, voltage_v=lower, cost=slower.evaluate(workload))
    return found


def _path(machine: Accelerator, workload: Workload) -> float:
    """The longest of its elements; infinite where the network stays in float32, which has none."""
    return max((cost.delay for cost in elements(demands(machine, workload))), default=math.inf)


def _at_once(machine: Accelerator, workload: Workload) -> int:
    """Products an element forms at once in the layer where it forms fewest, when it splits; else 1: other styles keep their clock."""
    if machine.style != "subword":
        return 1
    planned = (layer.arithmetic for layer in workload.multiplying if layer.arithmetic.multiplier is not None)
    return min(map(products_at_once, planned), default=1)
