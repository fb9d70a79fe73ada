"""Networks on broken hardware: a multiplier that every element has, or a register or multiplier of one element of the array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import FaultError, near
from inexact.core.workload import LayerWorkload
from inexact.hardware import Accelerator
from inexact.nn import ApproxConv2d, ApproxLayer, ApproxLinear, ApproxModel, restricted, sharing_copy, workload
from inexact.reliability._array import REGISTERS, Placement, Register, place, reach
from inexact.reliability._stuck_tables import healthy_table, register_bits, register_table, stuck_unit, unit_table
from inexact.reliability._sums import Difference, StuckSum


@final
@dataclass(frozen=True, kw_only=True)
class ElementFault:
    """What is stuck at `value` in element (row, column): bit `bit` of a register, or `net` of its multiplier.

    switched_off: operands and sums go past the element, whatever is stuck in it, and its product is left out: 0 in the raw sum of codes.
    """

    row: int
    column: int
    value: int
    register: Register = "product"
    bit: int = 0
    net: str = ""
    switched_off: bool = False


def check_layer(layer: Any) -> ApproxLayer:
    """The layer, when products of integers are formed one by one on the array. FaultError for others."""
    kind = type(layer).__name__
    if not isinstance(layer, (ApproxConv2d, ApproxLinear)):
        raise FaultError(
            f"layer {layer.name} must be a Conv2d or a Linear layer for faults of elements, not {kind}: choose other layers, or keep it "
            "out of the plan"
        )
    form = layer.rule.format
    if form.system is not None or form.block is not None or layer.mixture is not None:
        raise FaultError(f"layer {layer.name} must have operands that are integers of one scale for faults of elements, not {form.spec}")
    if layer.reducer is not None:
        raise FaultError(f"layer {layer.name} must form all of its products for faults of elements: leave {layer.rule.reduction} away")
    if layer.rule.modes != "uniform":
        raise FaultError(f"layer {layer.name} must have a unit of one mode for faults of elements: leave modes {layer.rule.modes!r} away")
    healthy_table(layer.rule)
    return layer


def with_stuck_unit(net: ApproxModel, names: Iterable[str], stuck: str, value: int) -> ApproxModel:
    """The network with one net stuck in every multiplier of these layers, as from a defect of the mask. FaultError, see `check_layer`."""
    broken = sharing_copy(net)
    for name in names:
        layer = check_layer(broken.layers()[name])
        layer.restate(layer.rule.but(multiplier=stuck_unit(layer.rule, stuck, value)))
    return broken


def placements(net: ApproxModel, accelerator: str | Accelerator, names: Iterable[str], *, dataflow: str = "") -> dict[str, Placement]:
    """Where an accelerator forms the products of these layers, by the mappings it chooses for each; dataflow: that one instead.

    Raises FaultError for accelerators whose elements take operands apart, dataflows they do not run or that bind no products to elements,
    and layers that do not run on the array; HardwareError for layers that do not fit.
    """
    machine = accelerator if isinstance(accelerator, Accelerator) else hardware.load(accelerator)
    if machine.style != "parallel":
        raise FaultError(f"elements must form a whole product at a time for their faults; those of {machine.name} are {machine.style}")
    if dataflow:
        if dataflow not in machine.dataflows:
            raise FaultError(
                f"dataflow must be one that {machine.name} runs ({', '.join(machine.dataflows)}), not {dataflow!r}"
                f"{near(dataflow, machine.dataflows)} A TOML description of your own may list others"
            )
        machine = replace(machine, dataflows=(dataflow,))
    shapes = {layer.name: layer for layer in workload(net).layers}
    return {name: _placement(machine, shapes[name]) for name in names}


def _placement(machine: Accelerator, layer: LayerWorkload) -> Placement:
    return place(layer, machine.map(layer), machine.rows, machine.columns)


def check_element_range(element: tuple[int, ...], rows: int, columns: int) -> None:
    """FaultError for a (row, column) outside the array; () is fine."""
    if element and not (0 <= element[0] < rows and 0 <= element[1] < columns):
        raise FaultError(f"an element must lie in rows 0..{rows - 1} and columns 0..{columns - 1} of the array, not at {element}")


def _check_element(fault: ElementFault, placement: Placement) -> None:
    """FaultError for an element outside the array, a register there is not, or a value that is no bit."""
    check_element_range((fault.row, fault.column), placement.rows, placement.columns)
    if fault.register not in REGISTERS:
        raise FaultError(f"register must be one of {', '.join(REGISTERS)}, not {fault.register!r}{near(fault.register, REGISTERS)}")
    if fault.value not in {0, 1}:
        raise FaultError(f"a bit can be stuck at 0 or 1, not at {fault.value!r}")


def with_broken_element(net: ApproxModel, where: Mapping[str, Placement], fault: ElementFault) -> ApproxModel:
    """The network whose layers in `where` run on an array with one broken element.

    Only the filters that meet the element are computed anew, product by product where they must be; everything else is as fast as
    without the fault. On the CPU, without gradients. Raises FaultError for elements, registers and bits that do not exist, for layers
    that `check_layer` refuses, and for accumulators whose order is not that of the dataflow.
    """
    broken = sharing_copy(net)
    for name, placement in where.items():
        _check_element(fault, placement)
        _break(check_layer(broken.layers()[name]), placement, fault)
    return broken


def _break(layer: ApproxLayer, placement: Placement, fault: ElementFault) -> None:
    found = difference_of(layer, placement, fault)
    if found is None:
        return
    filters = torch.from_numpy(np.flatnonzero(np.tile(found.reach.filters, layer.contraction_groups)))
    part = restricted(layer, filters)
    part.disturbance = replace(found, layer=part)
    layer.register_forward_hook(_Patch(part, filters))


def register_of(fault: ElementFault) -> Register:
    """The register whose reach is that of the fault."""
    return "product" if fault.net or fault.switched_off else fault.register


def difference_of(layer: ApproxLayer, placement: Placement, fault: ElementFault) -> Difference | None:
    """What the fault adds to the sums of the filters that it reaches; None when that is nothing. Raises FaultError, see
    `with_broken_element`."""
    rule = layer.rule
    bits = register_bits(rule, fault.register)
    if not fault.net and not 0 <= fault.bit < bits:
        raise FaultError(f"bit of the {fault.register} register of layer {layer.name} must be 0..{bits - 1}, not {fault.bit}")
    _check_order(layer, placement)
    healthy = healthy_table(rule)
    register = register_of(fault)
    if register == "sum" and placement.sets is not None:
        raise FaultError(
            f"layer {layer.name} must not run row stationary for faults of sum registers: how sums of a row and of a column of elements "
            "share them is not modelled; take register product, activation or weight, or another dataflow"
        )
    if fault.switched_off:
        faulty = np.zeros_like(healthy)
    elif fault.net:
        faulty = unit_table(rule, fault.net, fault.value)
    else:
        faulty = healthy if register == "sum" else register_table(rule, register, fault.bit, fault.value)
    stuck = StuckSum(row=fault.row, bit=fault.bit, value=fault.value) if register == "sum" else None
    found = reach(placement, register, fault.row, fault.column)
    if found.empty or (stuck is None and np.array_equal(faulty, healthy)):
        return None
    return Difference(layer=layer, placement=placement, reach=found, healthy=healthy, faulty=faulty, stuck=stuck)


def _check_order(layer: ApproxLayer, placement: Placement) -> None:
    """An accumulator with an order of its own must add in that of the array."""
    if layer.rule.sums is None:
        return
    if placement.sets is not None:
        raise FaultError(f"layer {layer.name} must have exact sums where it runs row stationary, not {layer.rule.accumulator}")
    order = f"systolic(rows={placement.rows})" if placement.sums_travel else "sequential"
    whole = not placement.sums_travel or np.array_equal(placement.fold, np.arange(len(placement.fold)) // placement.rows)
    if layer.rule.sums.order != order or not whole:
        raise FaultError(
            f"the accumulator of layer {layer.name} must add in the order of its dataflow, {placement.dataflow} on {placement.rows} rows: "
            f"{order}{'' if whole else ' in folds that tiles cut short'}, not {layer.rule.sums.order}"
        )


@final
class _Patch:
    """Puts the outputs of some filters in place of a layer's own."""

    def __init__(self, part: ApproxLayer, filters: Tensor) -> None:
        self.part = part
        self.filters = filters

    @torch.no_grad()
    def __call__(self, _layer: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> Tensor:
        dimension = 1 if isinstance(self.part, ApproxConv2d) else output.dim() - 1
        return output.detach().index_copy(dimension, self.filters, self.part(received[0]))
