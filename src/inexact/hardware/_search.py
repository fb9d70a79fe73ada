"""Which mapping a layer gets: the best over the dataflows of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inexact.core.errors import HardwareError
from inexact.core.workload import LayerWorkload
from inexact.hardware import _row_stationary, _systolic
from inexact.hardware._mapping import Mapping

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator


def search(machine: Accelerator, layer: LayerWorkload, *, input_resident: bool, output_resident: bool) -> Mapping:
    """The best mapping over all dataflows. Raises HardwareError when none fits."""
    found = [_one(machine, layer, dataflow, input_resident, output_resident) for dataflow in machine.dataflows]
    fitting = [mapping for mapping in found if mapping is not None]
    if not fitting:
        held = ", ".join(f"{memory.name} {memory.bits / 8192:g} KiB" for memory in machine.memories.values())
        raise HardwareError(
            f"no tile of {layer.pixels} pixels x {layer.window} products x {layer.filters} filters fits the memories of {machine.name} "
            f"({held}{', or its scratchpads' if machine.has_spads else ''}); make them larger"
        )
    if len(fitting) == 1:
        return fitting[0]
    return min(fitting, key=lambda mapping: _score(machine, mapping))


def _one(machine: Accelerator, layer: LayerWorkload, dataflow: str, input_resident: bool, output_resident: bool) -> Mapping | None:
    if dataflow == "row_stationary":
        return _row_stationary.search(machine, layer, input_resident=input_resident, output_resident=output_resident)
    return _systolic.search(machine, layer, dataflow, input_resident=input_resident, output_resident=output_resident)


def _score(machine: Accelerator, mapping: Mapping) -> tuple[float, float]:
    moved = mapping.dram_reads + mapping.dram_writes
    first, second = machine.score(np.float64(mapping.cycles), mapping.register_bits, mapping.memory, mapping.spads, moved)
    return float(first), float(second)
