"""What helps against a broken element of the array: switching it off, giving it what matters least, three elements with a voter.

Every measure is measured on the same images before and after, and charged in area, energy and cycles of the accelerator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from inexact import hardware
from inexact.core.estimate import Estimate
from inexact.hardware import Accelerator, element_cost
from inexact.metrics import PairedDifference, paired_difference
from inexact.nn import ApproxLayer, ApproxModel, Data, correct_answers, workload
from inexact.reliability._array import Placement, reach
from inexact.reliability._broken import ElementFault, difference_of, placements, register_of, with_broken_element
from inexact.reliability._sums import Difference

MODEL = "declared model: gates as shares of a full adder of the processing element, per bit"
VOTER_GATES = 4
"""Two ANDs and two ORs a bit."""


@final
@dataclass(frozen=True, kw_only=True)
class Charge:
    """What a measure costs. area: um2 of the chip, and share of it in percent. energy: pJ of one inference, and share. cycles: added."""

    area: Estimate
    area_percent: float
    energy: Estimate
    energy_percent: float
    cycles: int
    note: str

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "area": self.area.to_json(),
            "area_percent": self.area_percent,
            "energy": self.energy.to_json(),
            "energy_percent": self.energy_percent,
            "cycles": self.cycles,
            "note": self.note,
        }


@final
@dataclass(frozen=True, kw_only=True)
class Protected:
    """One measure against one fault. loss: against the whole array; gained: against the broken one without the measure; shares, paired."""

    measure: str
    loss: PairedDifference
    gained: PairedDifference
    charge: Charge


def protect(
    net: ApproxModel, data: Data, fault: ElementFault, *, calibration: Tensor, accelerator: str = "edge-16x16", dataflow: str = ""
) -> list[Protected]:
    """The broken network as it is, and under every measure, in order.

    calibration: inputs that choose the new mapping. Raises FaultError as `with_broken_element` does.
    """
    machine = hardware.load(accelerator)
    where = placements(net, machine, net.layers(), dataflow=dataflow)
    moved = remapped(net, where, fault, calibration)
    healthy = correct_answers(net, data)
    broken = correct_answers(with_broken_element(net, where, fault), data)
    off = replace(fault, switched_off=True)
    free, bypass = _free(machine, net), bypass_charge(machine, net)
    mapping = replace(free, note="another order of filters, fixed when weights are laid out: outputs go to the address of their filter")
    found = {
        "none": (broken, free),
        "bypass": (correct_answers(with_broken_element(net, where, off), data), bypass),
        "mapping": (correct_answers(with_broken_element(net, moved, fault), data), mapping),
        "bypass+mapping": (
            correct_answers(with_broken_element(net, remapped(net, where, off, calibration), off), data),
            replace(bypass, note=f"{bypass.note}; {mapping.note}"),
        ),
        "triple elements": (healthy, triple_charge(machine, net)),
    }
    return [
        Protected(measure=name, loss=paired_difference(healthy, right), gained=paired_difference(right, broken), charge=charge)
        for name, (right, charge) in found.items()
    ]


def remapped(net: ApproxModel, where: Mapping[str, Placement], fault: ElementFault, calibration: Tensor) -> dict[str, Placement]:
    """Placements in which the columns that the fault reaches hold as few filters as the passes allow, those that suffer least from it.

    What a filter suffers is the mean square of what its sums would change by, in units of the layer's output, on the calibration inputs;
    each filter is tried on the column. Input and row stationary layers, whose columns are pixels, stay as they are.
    """
    inputs = _inputs_of(net, calibration)
    layers = net.layers()
    found = {}
    for name, placement in where.items():
        layer = layers[name]
        assert isinstance(layer, ApproxLayer)
        pixels = placement.dataflow in {"input_stationary", "row_stationary"}
        found[name] = placement if pixels else _moved(layer, placement, fault, inputs[name])
    return found


def _moved(layer: ApproxLayer, placement: Placement, fault: ElementFault, x: Tensor) -> Placement:
    filters, columns = len(placement.column_of_filter), np.arange(placement.columns)
    on_column = replace(placement, column_of_filter=np.full(filters, fault.column))
    difference = difference_of(layer, on_column, fault)
    if difference is None:
        return placement
    hit = reach(replace(placement, column_of_filter=columns), register_of(fault), fault.row, fault.column).filters
    passes = -(-filters // placement.columns)
    spared = np.tile(columns[~hit], passes)[:filters]
    harmed = np.tile(columns[hit], passes)[: filters - len(spared)]
    order = np.argsort(_harm(layer, difference, x), kind="stable")
    found = np.empty(filters, np.int64)
    found[order] = np.concatenate([harmed, spared])
    return replace(placement, column_of_filter=found)


def _harm(layer: ApproxLayer, difference: Difference, x: Tensor) -> np.typing.NDArray[np.float64]:
    """Mean square change of every filter of a group, summed over groups."""
    with torch.no_grad():
        sums = difference(layer.a_codes(x), layer.b_codes()) * layer.per_channel(layer.scale())
    squares = layer.channels_first(sums).square().mean(1)
    return squares.reshape(layer.contraction_groups, -1).sum(0).numpy()


@torch.no_grad()
def _inputs_of(net: ApproxModel, calibration: Tensor) -> dict[str, Tensor]:
    seen: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_hook(lambda _layer, received, _output, name=name: seen.update({name: received[0]}))
        for name, layer in net.layers().items()
    ]
    try:
        net(calibration)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _free(machine: Accelerator, net: ApproxModel) -> Charge:
    return charged(machine, net, 0.0, 0.0, "nothing is added")


def bypass_charge(machine: Accelerator, net: ApproxModel) -> Charge:
    """A multiplexer around every register of every element, for operands and sum, and one flip-flop that switches it."""
    bits = _bits(net)
    gate = machine.technology["mux_ratio"].value * _adder_bit(net) * bits
    flop = element_cost("exact(signed=true)").register_bit.area
    energy = machine.rates.mux_bit[0] * bits * workload(net).macs
    return charged(machine, net, (gate + flop) * machine.rows * machine.columns, energy, f"a multiplexer of {bits} bits an element")


def triple_charge(machine: Accelerator, net: ApproxModel) -> Charge:
    """Two more of every element and a voter of its sum: a fault of one of three is never seen; voters are taken to be free of faults."""
    cost = machine.evaluate(workload(net))
    parts = ("multipliers", "adders", "registers")
    area = 2 * sum(cost.area[name][0] for name in parts)
    gate = machine.technology["and_ratio"].value * _adder_bit(net) * VOTER_GATES * 32 * machine.rows * machine.columns
    energy = 2 * sum(layer.energy[name][0] for layer in cost.layers for name in parts if name in layer.energy)
    energy += machine.rates.and_bit[0] * VOTER_GATES * 32 * workload(net).macs
    return charged(machine, net, area + gate, energy, "two more elements and a voter of 32 bits in the place of each")


def charged(machine: Accelerator, net: ApproxModel, area: float, energy: float, note: str) -> Charge:
    """A charge beside what the network costs on the accelerator as it is."""
    cost = machine.evaluate(workload(net))
    whole_area, whole_energy = cost.area_um2.total.value, cost.energy_pj.total.value
    node = machine.technology.node
    return Charge(
        area=Estimate(value=area, unit="um2", source=MODEL, node=node),
        area_percent=100 * area / whole_area,
        energy=Estimate(value=energy, unit="pJ", source=MODEL, node=node),
        energy_percent=100 * energy / whole_energy,
        cycles=0,
        note=note,
    )


def _bits(net: ApproxModel) -> int:
    """Bits of an element's registers: both operands and the sum."""
    rules = [layer.rule for layer in net.layers().values()]
    sums = [32 if rule.sums is None else rule.sums.width for rule in rules]
    return max(rule.format.a_bits + rule.format.b_bits for rule in rules) + max(sums)


def _adder_bit(net: ApproxModel) -> float:
    """Area of one bit of the processing element's adder in um2."""
    spec = next(iter(net.layers().values())).rule.unit.spec
    cost = element_cost(spec)
    return cost.adder.area / cost.accumulator_bits
