"""The memories of an accelerator: those on the chip, and the scratchpads of a processing element."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import inf

from inexact.core.errors import HardwareError
from inexact.hardware._constants import ZERO, Sram, Technology
from inexact.hardware._description import MemoryDescription

WORD_BITS = 16
"""Width of a scratchpad's word."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One on-chip memory. holds: roles. bits: capacity; width: bits a cycle, all ports. read, write: pJ a bit, of one bank."""

    name: str
    holds: tuple[str, ...]
    bits: float
    width: float
    bank: Sram
    banks: int

    @property
    def component(self) -> str:
        """Its name among the components of energy and area."""
        return f"{self.name}_buffer"


@dataclass(frozen=True, kw_only=True)
class Spads:
    """How many elements the scratchpads of a PE hold; shared: of all three together, in place of the others."""

    inputs: float = inf
    weights: float = inf
    sums: float = inf
    shared: float = inf

    def hold(self, inputs: int, weights: int, sums: int) -> bool:
        """Whether so many elements have room."""
        return inputs <= self.inputs and weights <= self.weights and sums <= self.sums and inputs + weights + sums <= self.shared


def memory_of(found: MemoryDescription, technology: Technology, machine: str) -> Memory:
    """A described memory. machine: its name, for messages. Raises HardwareError for sizes the technology has no figures of."""
    kib = found.numbers["kib"].value
    banks = int(found.numbers["banks"].value) if "banks" in found.numbers else 1
    ports = found.numbers["ports"].value if "ports" in found.numbers else 1
    width = found.numbers["width_bits"].value * ports if "width_bits" in found.numbers else inf
    bank = _bank(found, kib / banks, banks, technology, machine)
    return Memory(name=found.name, holds=found.holds, bits=kib * 8192, width=width, bank=bank, banks=banks)


def _bank(found: MemoryDescription, kib: float, banks: int, technology: Technology, machine: str) -> Sram:
    """One bank by the technology table, with the figures the description gives in their place."""
    own = {name: constant.value for name, constant in found.numbers.items()}
    if {"read_pj_bit", "write_pj_bit", "area_um2", "leakage_uw"} <= set(own):
        bank = Sram(kib=kib, read=ZERO, write=ZERO, area_um2=0.0, leakage_uw=0.0, latency_ns=0.0)
    else:
        try:
            bank = technology.memory(kib)
        except HardwareError as error:
            raise HardwareError(f"memories.{found.name} of {machine}: {error}") from None
    return dataclasses.replace(
        bank,
        read=(own["read_pj_bit"],) * 3 if "read_pj_bit" in own else bank.read,
        write=(own["write_pj_bit"],) * 3 if "write_pj_bit" in own else bank.write,
        area_um2=own["area_um2"] / banks if "area_um2" in own else bank.area_um2,
        leakage_uw=own["leakage_uw"] / banks if "leakage_uw" in own else bank.leakage_uw,
    )
