"""Operands on their way to the array: what a reduction leaves of their reads and of the registers they pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inexact.core.workload import LayerWorkload
from inexact.hardware._mapping import TRAVEL, Mapping

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator


def memory_bits(machine: Accelerator, layer: LayerWorkload, mapping: Mapping) -> dict[str, tuple[float, float]]:
    """Bits (read, written) of every memory without the deliveries of operands that the layer's reduction leaves out."""
    found = dict(mapping.memory)
    for role, bits in mapping.delivered.items():
        memory = machine.home(role)
        assert memory is not None
        read, written = found[memory.name]
        found[memory.name] = read + bits * (_reads(layer, role) - 1), written
    return found


def _reads(layer: LayerWorkload, role: str) -> float:
    return layer.a_reads if role == "inputs" else layer.b_reads


def register_bits(layer: LayerWorkload, mapping: Mapping) -> float:
    """Bits through registers: operands that are delivered travel through a systolic array whole, sums of products left out rest."""
    if mapping.dataflow == "row_stationary":
        return mapping.register_bits
    widths = {"inputs": layer.arithmetic.a_bits, "weights": layer.arithmetic.b_bits}
    more = sum(widths[role] * (_reads(layer, role) - 1) for role in TRAVEL[mapping.dataflow])
    rest = layer.arithmetic.accumulator_bits * max(0.0, 1 - layer.additions)
    return max(0.0, mapping.register_bits + layer.macs * (more - rest))
