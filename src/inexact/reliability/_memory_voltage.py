"""Accuracy and energy against the supply voltage of on-chip memories, over chips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from inexact.core.errors import FaultError
from inexact.core.estimate import Estimate
from inexact.core.workload import Workload
from inexact.hardware import Accelerator, savings
from inexact.metrics import Mean, mean_of
from inexact.nn import ApproxModel, Data, evaluate, first_inputs
from inexact.reliability._lowered import energies_of, scaled
from inexact.reliability._sram import access_energy
from inexact.reliability._subject import Subject
from inexact.reliability.sram_voltage import CHIPS, SramVoltage

ROLES = {"weight": ("weights",), "activation": ("inputs",), "both": ("weights", "inputs")}

Progress = Callable[[str], None]


@final
@dataclass(frozen=True, kw_only=True)
class MemoryPoint:
    """Memories at one voltage. drop: points lost against the same network without errors, over chips. energies: pJ of one inference."""

    voltage: float
    bit_error_rate: float
    top1: Mean
    drop: Mean
    energy: Mapping[str, Estimate]
    saved: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; energies as `Estimate.to_json`."""
        return {
            "voltage": self.voltage,
            "bit_error_rate": self.bit_error_rate,
            "top1": _over_chips(self.top1),
            "drop": _over_chips(self.drop),
            "energy_pj": {name: estimate.to_json() for name, estimate in self.energy.items()},
            "saved": {name: estimate.to_json() for name, estimate in self.saved.items()},
        }


def _over_chips(found: Mean) -> dict[str, Any]:
    return {"mean": found.mean, "ci": [found.low, found.high], "chips": found.n}


def memory_sweep(
    net: ApproxModel,
    data: Data,
    images: Data,
    machine: Accelerator,
    workload: Workload,
    faults: Sequence[SramVoltage],
    *,
    chips: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[MemoryPoint]:
    """One point a fault, all on the same chips.

    data: labelled; images: a few inputs. Energies: the memories that the faults name follow the square of their voltage, everything else
    stays. Raises FaultError for fewer than 2 chips or a memory the machine lacks, and as the faults do.
    """
    if chips < 2:
        raise FaultError(f"an interval over chips needs at least 2 of them, not {chips}; raise their number")
    subject = Subject.of(net, first_inputs(images, 2))
    whole, cost = evaluate(net, data), machine.evaluate(workload)
    numbers = np.random.default_rng(seed).choice(CHIPS, chips, replace=False)
    points = []
    for fault in faults:
        lowered = _memories(machine, fault)
        (stratum,) = fault.population(subject)
        found = []
        for place, number in enumerate(numbers.tolist(), 1):
            if progress is not None:
                progress(f"{fault.voltage:g}: chip {place} of {chips}")
            found.append(evaluate(fault.faulty(subject, fault.site(subject, stratum, number)), data).top1)
        factors = dict.fromkeys(lowered, access_energy(fault.voltage))
        lower = replace(cost, layers=tuple(scaled(layer, factors) for layer in cost.layers))
        points.append(
            MemoryPoint(
                voltage=fault.voltage,
                bit_error_rate=fault.bit_error_rate,
                top1=mean_of(found),
                drop=mean_of([whole.top1 - top1 for top1 in found]),
                energy=energies_of(lower, lowered),
                saved=savings(lower, cost),
            )
        )
    return points


def _memories(machine: Accelerator, fault: SramVoltage) -> set[str]:
    """Components of the memories that a fault names. FaultError when the machine has none."""
    homes = [machine.home(role) for role in ROLES[fault.memory]]
    found = {memory.component for memory in homes if memory is not None}
    if not found:
        raise FaultError(f"the {fault.memory} memory must be on the chip to have a voltage, but {machine.name} has none")
    return found
