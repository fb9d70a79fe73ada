"""The family of detectors: each gives a device under test a number, the larger the more suspicious."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from inexact.circuits import Circuit, table
from inexact.circuits.synthesis import Operands, Setup, Silicon, synthesise
from inexact.core.registry import Family, spec_of
from inexact.nn import ApproxModel
from inexact.security.trojans._declaration import Declaration
from inexact.security.trojans._streams import with_unit
from inexact.units import Multiplier, from_table
from inexact.zoo import Dataset

Integers = NDArray[np.int64]

POWER_PAIRS = 512
"""Operand pairs a power figure is measured on."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Device:
    """A unit under test. circuit: its netlist. seed: of what a measurement of this device meets at random."""

    circuit: Circuit
    seed: int

    @functools.cached_property
    def table(self) -> Integers:
        """int64 [2**wa, 2**wb], by bit pattern."""
        return table(self.circuit)

    @functools.cached_property
    def silicon(self) -> Silicon:
        """Area, leakage and energy of its own synthesis."""
        return synthesise([self.circuit], Setup(operands=Operands(pairs=POWER_PAIRS)), jobs=1)[0]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Golden:
    """What a tester knows of the honest design. unit: its function. declaration: the data sheet. counts: how often a network's units meet
    each operand pair. net, images: a network on the honest unit, and the images it is tested with."""

    unit: Multiplier
    declaration: Declaration
    counts: Integers
    net: ApproxModel
    images: Dataset

    @functools.cached_property
    def device(self) -> Device:
        """The honest netlist. The unit has one."""
        circuit = self.unit.circuit()
        assert circuit is not None
        return Device(circuit=circuit, seed=0)

    @functools.cached_property
    def table(self) -> Integers:
        """The certified table."""
        return self.unit.table().astype(np.int64)

    def network_with(self, device: Device) -> ApproxModel:
        """The network on the device."""
        return with_unit(self.net, from_table(device.table, signed=self.unit.signed, width=self.unit.width))


class Detector(ABC):
    """A test of one device; members are frozen dataclasses with the hook `score`.

    golden: whether it needs the certified function or design; without, it can judge units it has never seen.
    """

    family_name: ClassVar[str]
    golden: ClassVar[bool] = True

    @property
    def spec(self) -> str:
        """Canonical spec."""
        return spec_of(self)

    @abstractmethod
    def score(self, device: Device, golden: Golden) -> float:
        """Hook: how suspicious the device is; only the order of scores matters."""

    @classmethod
    def samples(cls) -> Sequence[Self]:
        """Those a study runs."""
        return [cls()]


detectors: Family[Detector] = Family("Trojan detector", "inexact.security.trojans")
