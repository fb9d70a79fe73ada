"""The accelerator: array, memories, DRAM, clock and technology; `evaluate` turns a workload into a cost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np

from inexact.core.errors import HardwareError
from inexact.core.estimate import Estimate
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware._checks import check_layer
from inexact.hardware._clock import check_clock
from inexact.hardware._constants import Constant, Technology
from inexact.hardware._cost import Cost
from inexact.hardware._description import WORDS, MemoryDescription
from inexact.hardware._evaluate import evaluate
from inexact.hardware._layer import LayerEnergy, layer_energy
from inexact.hardware._mapping import Mapping as LayerMapping
from inexact.hardware._mapping import mapped_shape
from inexact.hardware._memories import WORD_BITS, Memory, Spads, memory_of
from inexact.hardware._pe import element_cost
from inexact.hardware._rates import Rates, rates
from inexact.hardware._schemes import beats
from inexact.hardware._search import search
from inexact.hardware._subword import products_at_once


@dataclass(frozen=True, kw_only=True, eq=False)
class Accelerator:
    """One accelerator. numbers: "array.rows", "array.clock_mhz", …, each with unit and source. words: see the description.

    dataflows: those the array can run; each layer takes the best one. multiplier: unit of the exact design, None = plain exact.
    """

    name: str
    summary: str
    source: str
    technology: Technology
    dataflows: tuple[str, ...]
    numbers: dict[str, Constant]
    memory_descriptions: tuple[MemoryDescription, ...]
    words: dict[str, str] = field(default_factory=lambda: {name: known[0] for name, known in WORDS.items()})
    multiplier: str | None = None

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

    @property
    def voltage(self) -> float:
        """Supply of the array in V; memories stay at the node's nominal supply."""
        return self._optional("array.voltage_v", self.technology["nominal_voltage"].value)

    @property
    def style(self) -> str:
        """Kind of processing element, see `STYLES`."""
        return self.words["pe.style"]

    @property
    def operand_bits(self) -> int:
        """Widest operands of the processing elements."""
        return int(self._optional("pe.operand_bits", 16 if self.style.startswith("serial") or self.style == "subword" else 8))

    @property
    def accumulator_bits(self) -> int:
        """Widest sums of the processing elements."""
        return int(self._optional("pe.accumulator_bits", 32))

    @property
    def narrow_bits(self) -> int:
        """Operand width of elements that take wider operands digit by digit."""
        return int(self._optional("pe.narrow_bits", 4))

    def _optional(self, name: str, default: float) -> float:
        return self.numbers[name].value if name in self.numbers else default

    @cached_property
    def dram_bits_per_cycle(self) -> float:
        """DRAM bandwidth in bits per clock cycle."""
        return self.numbers["dram.bandwidth_gb_s"].value * 8 * self.period_ns

    @cached_property
    def rates(self) -> Rates:
        """Energy of each elementary event."""
        found = rates(self.technology, self.voltage)
        if "dram.energy_pj_bit" in self.numbers:
            found = dataclasses.replace(found, dram_bit=(self.numbers["dram.energy_pj_bit"].value,) * 3)
        return found

    @cached_property
    def memories(self) -> dict[str, Memory]:
        """The on-chip memories by name."""
        return {found.name: memory_of(found, self.technology, self.name) for found in self.memory_descriptions}

    def home(self, role: str) -> Memory | None:
        """The memory that holds a role; None for weights that come straight from the DRAM."""
        return self._homes.get(role)

    @cached_property
    def _homes(self) -> dict[str, Memory]:
        return {role: memory for memory in self.memories.values() for role in memory.holds}

    def room(self, role: str) -> float:
        """Bits a role may fill of its memory: all, or half where it shares it."""
        memory = self._homes[role]
        return memory.bits if len(memory.holds) == 1 else memory.bits / 2

    def fits(self, needed: Mapping[str, Any]) -> Any:
        """Whether every memory holds what its roles need, in bits; arrays give an array."""
        fits: Any = True
        for memory in self.memories.values():
            wanted: Any = 0
            for role in memory.holds:
                wanted = wanted + needed[role]
            fits = np.logical_and(fits, wanted <= memory.bits)
        return fits

    def by_memory(self, traffic: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
        """(bits read, bits written) of every memory from those of the roles it holds."""
        found: dict[str, tuple[Any, Any]] = {}
        for memory in self.memories.values():
            parts = [traffic[role] for role in memory.holds if role in traffic]
            found[memory.name] = sum(part[0] for part in parts), sum(part[1] for part in parts)
        return found

    def spads(self, layer: LayerWorkload) -> Spads:
        """Capacities of a PE's scratchpads in elements of a layer."""
        widths = {"input": layer.arithmetic.a_bits, "weight": layer.arithmetic.b_bits, "sum": layer.arithmetic.accumulator_bits}
        if "spads.shared_words" in self.numbers:
            return Spads(shared=self.numbers["spads.shared_words"].value * WORD_BITS // max(widths.values()))
        held = {role: self.numbers[f"spads.{role}_words"].value * WORD_BITS // bits for role, bits in widths.items()}
        return Spads(inputs=held["input"], weights=held["weight"], sums=held["sum"])

    @cached_property
    def spad_bit_pj(self) -> dict[str, float]:
        """Energy in pJ a bit of each scratchpad, read or written."""
        if "spads.shared_words" in self.numbers:
            sizes = dict.fromkeys(("input", "weight", "sum"), self.numbers["spads.shared_words"].value)
        else:
            sizes = {role: self.numbers[f"spads.{role}_words"].value for role in ("input", "weight", "sum") if self.has_spads}
        return {role: self.technology.register_file.access(words * WORD_BITS) for role, words in sizes.items()}

    @property
    def has_spads(self) -> bool:
        """Whether PEs have scratchpads of their own."""
        return "spads.shared_words" in self.numbers or "spads.input_words" in self.numbers

    def pace(self, layer: LayerWorkload) -> tuple[float, int]:
        """(cycles a multiply-accumulate takes, products a PE forms at once) at a layer's widths."""
        a, b = layer.arithmetic.a_bits, layer.arithmetic.b_bits
        if self.style == "serial_activations":
            return a, 1
        if self.style == "serial":
            return a * b, 1
        if self.style == "passes":
            return beats(self, layer.arithmetic), 1
        if self.style == "subword":
            return 1, products_at_once(layer.arithmetic)
        if self.style == "composable":
            return 1, max(1, 64 // (_brick(a) * _brick(b)))
        return 1, 1

    def macs_per_cycle(self, layer: LayerWorkload) -> float:
        """Multiply-accumulates of a busy PE in a cycle."""
        beat, lanes = self.pace(layer)
        return lanes / beat

    def peak_gmacs(self, bits: int) -> float:
        """10^9 multiply-accumulates a second of all PEs busy, operands of so many bits."""
        arithmetic = Arithmetic(a_bits=bits, b_bits=bits)
        layer = LayerWorkload(name="", kind="linear", in_channels=1, out_channels=1, arithmetic=arithmetic)
        return self.rows * self.columns * self.macs_per_cycle(layer) / self.period_ns

    def stretched(self, cycles: Any, memory: Mapping[str, tuple[Any, Any]], dram_bits: Any) -> Any:
        """Cycles when transfers hide behind the array until they are longer: double buffers everywhere."""
        found = np.maximum(cycles, np.ceil(dram_bits / self.dram_bits_per_cycle))
        for name, (read, written) in memory.items():
            found = np.maximum(found, np.ceil((read + written) / self.memories[name].width))
        return found

    def score(self, cycles: Any, registers: Any, memory: Mapping[str, tuple[Any, Any]], spads: Mapping[str, Any], dram_bits: Any) -> Any:
        """(what mappings are chosen by, tie-break): energy of storage, movement and leakage, or time, or their product.

        The unit has no say, so that a saving is never an effect of another mapping.
        """
        time = self.stretched(cycles, memory, dram_bits)
        energy = self.rates.register_bit[0] * registers + self.rates.dram_bit[0] * dram_bits + self._idle_pj * time
        for name, (read, written) in memory.items():
            bank = self.memories[name].bank
            energy = energy + bank.read[0] * read + bank.write[0] * written
        for role, (read, written) in spads.items():
            energy = energy + self.spad_bit_pj[role] * (read + written)
        objective = self.words["mapping"]
        if objective == "energy":
            return energy, time
        return (time, energy) if objective == "latency" else (energy * time, time)

    @cached_property
    def _idle_pj(self) -> float:
        """Leakage of the exact design in pJ a cycle."""
        exact = element_cost("exact(signed=true)")
        element = exact.multiplier.leakage + exact.adder.leakage + 48 * exact.register_bit.leakage
        buffers = sum(memory.bank.leakage_uw * memory.banks for memory in self.memories.values())
        return (element * self.rates.scale.leakage * self.rows * self.columns + buffers) * self.period_ns / 1000

    @cached_property
    def _map(self) -> Callable[..., LayerMapping]:
        # One cache an accelerator: a search changes units, which mappings do not depend on.
        return lru_cache(maxsize=65536)(partial(search, self))

    def map(self, layer: LayerWorkload, *, input_resident: bool = False, output_resident: bool = False) -> LayerMapping:
        """The best mapping of one layer. Raises HardwareError when no tile of it fits the memories."""
        try:
            return self._map(mapped_shape(layer), input_resident=input_resident, output_resident=output_resident)
        except HardwareError as error:
            raise HardwareError(f"layer {layer.name!r}: {error}") from None

    @cached_property
    def _layer_energy(self) -> Callable[..., LayerEnergy]:
        return lru_cache(maxsize=65536)(partial(layer_energy, self))

    def evaluate(self, workload: Workload) -> Cost:
        """Cycles, energy by component and layer, area by component of one run of the workload.

        Raises HardwareError when the workload is empty, two layers share a name, a memory cannot hold one tile, or the processing
        elements cannot compute a layer's format.
        """
        return evaluate(self, workload)

    def layer(self, layer: LayerWorkload, *, input_resident: bool = False, output_resident: bool = False) -> LayerEnergy:
        """Cycles and dynamic energy of one layer; resident tensors skip the DRAM. Raises HardwareError for impossible layers."""
        check_layer(self, layer)
        return self._layer_energy(layer, input_resident=input_resident, output_resident=output_resident)

    def at(self, *, clock_mhz: float | None = None, voltage_v: float | None = None, check: bool = True) -> Accelerator:
        """The same machine at another clock and array voltage. Raises HardwareError when exact elements miss the clock (`check`)."""
        numbers = dict(self.numbers)
        for name, value, unit in (("array.clock_mhz", clock_mhz, "MHz"), ("array.voltage_v", voltage_v, "V")):
            if value is not None:
                numbers[name] = Constant(name=name, value=value, low=value, high=value, unit=unit, source="set by the caller", node=None)
        found = dataclasses.replace(self, numbers=numbers)
        if check:
            check_clock(found)
        return found

    def __getstate__(self) -> dict[str, Any]:
        # Caches stay behind when a worker process gets its copy.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def constants(self) -> dict[str, Estimate]:
        """Every number the model uses, with unit, source and spread, by name."""
        memories = {f"memories.{m.name}.{name}": constant for m in self.memory_descriptions for name, constant in m.numbers.items()}
        named = {**self.numbers, **memories, **self.technology.constants}
        return {name: constant.estimate() for name, constant in named.items()}


def _brick(bits: int) -> int:
    """Operand width in a composable element: 2, 4 or 8 bits."""
    return next(width for width in (2, 4, 8) if bits <= width or width == 8)
