"""What the mapping of a network's layers on a machine comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from inexact.atlas.claims._shapes import workload_of
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of

UNITS = {
    "active_elements": "elements",
    "milliseconds": "ms",
    "dram_accesses_a_mac": "1",
    "dram_words": "words",
    "macs": "1",
    "inferences_a_second": "1/s",
}


@kinds.register("mapped_network")
@final
@dataclass(frozen=True, kw_only=True)
class MappedNetwork(Check):
    """Layers of a network of `shapes.toml` with operands of `bits` bits, signed, sums as wide, mapped one by one on a machine.

    shows: active_elements, macs over array cycles; milliseconds for the whole batch; dram_words of `bits` bits, dram_accesses_a_mac; macs;
    inferences_a_second.
    """

    network: str
    machine: str
    shows: str
    layers: tuple[str, ...] = ()
    batch: int = 1
    bits: int = 16

    def __post_init__(self) -> None:
        one_of("shows", self.shows, tuple(UNITS))

    @property
    def unit(self) -> str:
        """By what is shown."""
        return UNITS[self.shows]

    def measure(self) -> Measured:
        """By the searched mapping of each layer."""
        from inexact import hardware

        machine = hardware.load(self.machine)
        found = workload_of(
            self.network, self.layers, (self.bits,), (self.bits,), coding="signed", batch=self.batch, accumulator_bits=self.bits
        )
        mappings = [machine.map(layer) for layer in found.layers]
        cycles = sum(mapping.cycles for mapping in mappings)
        words = sum(mapping.dram_reads + mapping.dram_writes for mapping in mappings) / self.bits
        milliseconds = cycles * machine.period_ns * 1e-6
        values = {
            "active_elements": found.macs / cycles,
            "milliseconds": milliseconds,
            "dram_words": words,
            "dram_accesses_a_mac": words / found.macs,
            "macs": found.macs,
            "inferences_a_second": 1e3 * self.batch / milliseconds,
        }
        return Measured.exact(values[self.shows], n=len(found.layers), detail=f"{self.machine}, batch {self.batch}, {self.bits} bits")
