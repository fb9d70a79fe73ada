"""Detectors that need no certified unit: wires that hardly ever switch, entries of the error map that stand out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from inexact.circuits import Bus, Circuit, evaluate, simplified
from inexact.security.trojans._detector import Detector, Device, Golden, detectors


@detectors.register("rare_wires")
@final
@dataclass(frozen=True, kw_only=True)
class RareWires(Detector):
    """The wire of the netlist that is one, or zero, for the fewest operand pairs; exact, over all pairs. Constant wires do not count.

    Reference: R. S. Chakraborty, F. Wolff, S. Paul, C. Papachristou, S. Bhunia, "MERO: a statistical approach for hardware Trojan
    detection", CHES 2009, doi:10.1007/978-3-642-04138-9_28
    """

    golden: ClassVar[bool] = False

    def score(self, device: Device, golden: Golden) -> float:
        """-log2 of its probability."""
        return -math.log2(min(wire_probabilities(device.circuit)))


@detectors.register("error_outliers")
@final
@dataclass(frozen=True, kw_only=True)
class ErrorOutliers(Detector):
    """The entry of the error map that stands out most from its four neighbours: errors of honest units are regular."""

    golden: ClassVar[bool] = False

    def score(self, device: Device, golden: Golden) -> float:
        """Least distance to the range of the neighbours, over the spread of all such steps."""
        order = np.ix_(np.argsort(golden.unit.operand_values(0)), np.argsort(golden.unit.operand_values(1)))
        error = (device.table - golden.unit.exact_table())[order].astype(np.float64)
        around = np.stack([error[:-2, 1:-1], error[2:, 1:-1], error[1:-1, :-2], error[1:-1, 2:]])
        middle = error[1:-1, 1:-1]
        beyond = np.maximum(middle - around.max(axis=0), around.min(axis=0) - middle)
        spread = float(np.diff(error, axis=0).std() + np.diff(error, axis=1).std())
        return float(beyond.max()) / spread if spread else 0.0


def wire_probabilities(circuit: Circuit) -> list[float]:
    """How often each cell output takes its rarer value, over all operands; of wires that take both."""
    whole = simplified(circuit)
    found: set[float] = set()
    wires = np.arange(2 + whole.input_bits, whole.wires, dtype=np.int32)
    first, second = (np.arange(1 << bus.width) for bus in whole.inputs)
    a, b = np.meshgrid(first, second, indexing="ij")
    plain = tuple(Bus(bus.name, bus.width) for bus in whole.inputs)
    for start in range(0, len(wires), 32):
        part = wires[start : start + 32]
        values = evaluate(Circuit(whole.name, plain, (Bus("wires", len(part)),), whole.cells, part), a, b)
        for place in range(len(part)):
            share = float((values >> place & 1).mean())
            if 0 < share < 1:
                found.add(min(share, 1 - share))
    return sorted(found)
