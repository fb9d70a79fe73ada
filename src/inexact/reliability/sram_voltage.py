"""A static memory below its lowest error-free voltage: some of its cells read as a value of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

import numpy as np
from torch import nn

from inexact.core.errors import SpecError, near
from inexact.reliability._base import ChipFault, Site, Stratum, as_layers, chosen_places, faults
from inexact.reliability._memory import Bits, checked_layers, with_activations_read, with_weights_read
from inexact.reliability._sram import Chip, Failing, bit_error_rate, require_voltage
from inexact.reliability._subject import Subject

MEMORIES = ("weight", "activation", "both")

CHIPS = 1 << 31
"""Chips that can be told apart."""


@faults.register("sram_voltage")
@final
@dataclass(frozen=True, kw_only=True)
class SramVoltage(ChipFault):
    """The on-chip memory of weights, of activations, or both, at a supply below its lowest error-free one. A site is a chip.

    voltage: over the lowest error-free one, 0.75..1. Every cell has a voltage below which it fails, so that the wrong bits at a higher
    voltage are some of those at a lower one. kib: size of each memory; layers of weights follow each other in it, inputs of a layer begin
    at its start, both from the start again when it is full. to_one: share of failing cells that read 1, the others read 0 (0.5 in the
    curve's publications; about 0.8 in two of three profiled chips). persistent: share of the wrong bits that are wrong at every read
    (profiled chips: 0.07..0.45). flaky: chance that another failing cell is wrong at a read (declared, no measurement). Weights are read
    once a chip, activations once an image and layer.

    Reference: D. Stutz et al., Bit Error Robustness for Energy-Efficient DNN Accelerators, MLSys 2021, arXiv:2006.13977
    """

    voltage: float = field(default=0.85, metadata={"written": True})
    memory: str = "weight"
    kib: float = 108
    to_one: float = 0.5
    persistent: float = 0.25
    flaky: float = 0.5
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", as_layers(self.layers))
        require_voltage(self.voltage)
        if self.memory not in MEMORIES:
            raise SpecError(f"memory must be one of {', '.join(MEMORIES)}, not {self.memory!r}{near(self.memory, MEMORIES)}")
        if not 1 <= self.kib <= 1 << 20:
            raise SpecError(f"kib must be 1..1048576 KiB, not {self.kib!r}")
        for name in ("to_one", "persistent", "flaky"):
            if not 0 <= getattr(self, name) <= 1:
                raise SpecError(f"{name} must be a share 0..1, not {getattr(self, name)!r}")
        if self.flaky == 0:
            raise SpecError("flaky must be above 0: a cell that fails is wrong at some reads")

    @property
    def bit_error_rate(self) -> float:
        """Share of wrong bits in a read of as many zeros as ones."""
        return bit_error_rate(self.voltage)

    def strata(self, subject: Subject) -> Iterator[Stratum]:
        """All chips."""
        if checked_layers(chosen_places(subject, self.layers)):
            yield Stratum(layer="", tensor="memory", bit=None, size=CHIPS)

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """index: (the chip's number,)."""
        return Site(layer="", tensor="memory", index=(number,), bit=None, kind="random", persistence=self.persistence)

    def faulty(self, subject: Subject, site: Site) -> nn.Module:
        """The network whose memories belong to that chip."""
        net, names = subject.net, checked_layers(chosen_places(subject, self.layers))
        cells = int(self.kib * 8192)
        if self.memory != "activation":
            net = with_weights_read(net, names, _Reading(self._failing(2 * site.index[0], cells), cells), cells)
        if self.memory != "weight":
            net = with_activations_read(net, names, self._failing(2 * site.index[0] + 1, cells), cells)
        return net

    def _failing(self, seed: int, cells: int) -> Failing:
        chip = Chip(seed=seed, cells=cells, to_one=self.to_one, persistent=self.persistent, flaky=self.flaky)
        return chip.failing(self.voltage)


@final
class _Reading:
    """One read of all weights, see `_memory.Read`."""

    def __init__(self, failing: Failing, cells: int) -> None:
        self.wrong = np.zeros(cells, np.bool_)
        self.wrong[failing.where] = failing.at(np.zeros(1, np.uint64))[0]
        self.value = np.zeros(cells, np.bool_)
        self.value[failing.where] = failing.value

    def __call__(self, written: Bits, address: int) -> Bits:
        at = (address + np.arange(len(written))) % len(self.wrong)
        return np.where(self.wrong[at], self.value[at], written)
