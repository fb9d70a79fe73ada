"""The accelerator: array, buffers, DRAM, clock and technology; `evaluate` turns a workload into a cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

from inexact.core.errors import HardwareError
from inexact.core.estimate import Estimate
from inexact.core.workload import LayerWorkload, Workload
from inexact.hardware._constants import Constant, Sram, Technology
from inexact.hardware._cost import Cost
from inexact.hardware._description import describe
from inexact.hardware._evaluate import evaluate
from inexact.hardware._layer import LayerEnergy, layer_energy
from inexact.hardware._mapping import Sizes
from inexact.hardware._rates import Rates, rates


@dataclass(frozen=True, kw_only=True, eq=False)
class Accelerator:
    """One accelerator. numbers: "array.rows", "array.clock_mhz", "buffers.weight_kib", …, each with unit and source.

    dataflows: those the array can run; each layer takes the cheaper one.
    """

    name: str
    summary: str
    technology: Technology
    dataflows: tuple[str, ...]
    numbers: dict[str, Constant]

    @property
    def rows(self) -> int:
        """PE rows of the array."""
        return int(self.numbers["array.rows"].value)

    @property
    def columns(self) -> int:
        """PE columns of the array."""
        return int(self.numbers["array.columns"].value)

    @property
    def postprocess_lanes(self) -> int:
        """Outputs requantised per cycle."""
        return int(self.numbers["postprocess.lanes"].value)

    @property
    def float_lanes(self) -> int:
        """float32 multiply-accumulates per cycle of the host's vector unit."""
        return int(self.numbers["float_unit.lanes"].value)

    @property
    def period_ns(self) -> float:
        """Clock period in ns."""
        return 1000 / self.numbers["array.clock_mhz"].value

    @cached_property
    def dram_bits_per_cycle(self) -> float:
        """DRAM bandwidth in bits per clock cycle."""
        return self.numbers["dram.bandwidth_gb_s"].value * 8 * self.period_ns

    @cached_property
    def rates(self) -> Rates:
        """Energy of each elementary event."""
        return rates(self.technology)

    @cached_property
    def buffers(self) -> dict[str, Sram]:
        """The on-chip memories: activation, weight, accumulator."""
        return {name: self.technology.memory(self.numbers[f"buffers.{name}_kib"].value) for name in ("activation", "weight", "accumulator")}

    @cached_property
    def activation_buffer(self) -> Sram:
        """Holds inputs and outputs of a layer."""
        return self.buffers["activation"]

    @cached_property
    def weight_buffer(self) -> Sram:
        """Holds weights on their way to the array."""
        return self.buffers["weight"]

    @cached_property
    def accumulator_buffer(self) -> Sram:
        """Holds partial sums and outputs before requantisation."""
        return self.buffers["accumulator"]

    @cached_property
    def sizes(self) -> Sizes:
        """What mapping needs: array shape, capacities in bits."""
        activation, weight, accumulator = (memory.kib * 8192 for memory in self.buffers.values())
        return Sizes(self.rows, self.columns, activation, weight, accumulator)

    @cached_property
    def _layer_energy(self) -> Callable[..., LayerEnergy]:
        # One cache an accelerator: a search changes a few layers a trial, the others are looked up.
        return lru_cache(maxsize=65536)(partial(layer_energy, self))

    def evaluate(self, workload: Workload) -> Cost:
        """Cycles, energy by component and layer, area by component of one run of the workload.

        Raises HardwareError when the workload is empty, two layers share a name, or a buffer cannot hold one tile.
        """
        return evaluate(self, workload)

    def layer(self, layer: LayerWorkload, *, input_resident: bool = False, output_resident: bool = False) -> LayerEnergy:
        """Cycles and dynamic energy of one layer; resident tensors skip the DRAM. Raises HardwareError for impossible layers."""
        return self._layer_energy(layer, input_resident=input_resident, output_resident=output_resident)

    def __getstate__(self) -> dict[str, Any]:
        # Caches stay behind when a worker process gets its copy.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def constants(self) -> dict[str, Estimate]:
        """Every number the model uses, with unit, source and spread, by name."""
        named = {**self.numbers, **self.technology.constants}
        return {name: constant.estimate() for name, constant in named.items()}


def load(name_or_path: str | Path) -> Accelerator:
    """The accelerator of a preset ("edge-16x16") or of a TOML file.

    Raises HardwareError for unknown names, unreadable files, missing, unknown or negative entries, and a clock the arithmetic cannot meet.
    """
    found = describe(name_or_path)
    machine = Accelerator(
        name=found.name, summary=found.summary, technology=found.technology, dataflows=found.dataflows, numbers=found.numbers
    )
    _check_clock(machine)
    _check_tile(machine)
    return machine


def _check_clock(machine: Accelerator) -> None:
    path = machine.technology["multiplier_delay"].value + machine.technology["adder_delay"].value
    if path > machine.period_ns:
        raise HardwareError(
            f"array.clock_mhz of {machine.name} must be at most {1000 / path:.0f} MHz (multiplier and adder share a cycle of {path:g} ns), "
            f"not {machine.numbers['array.clock_mhz'].value:g}; lower it"
        )


def _check_tile(machine: Accelerator) -> None:
    """Each buffer holds what the array takes in one fold of 8-bit operands and 32-bit sums, twice for double buffering."""
    rows, columns = machine.rows, machine.columns
    needed = {"activation": rows * 8 * 2, "weight": rows * columns * 8 * 2, "accumulator": max(rows, columns) * 32 * 2}
    for name, bits in needed.items():
        kib = machine.buffers[name].kib
        if kib * 8192 < bits:
            raise HardwareError(
                f"buffers.{name}_kib of {machine.name} must hold one {rows}x{columns} tile twice ({bits / 8192:g} KiB), not {kib:g}"
            )
