"""Which layers an accelerator can compute."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from inexact.core.errors import HardwareError, near
from inexact.core.workload import CODINGS, LayerWorkload
from inexact.hardware._schemes import check_scheme

if TYPE_CHECKING:
    from inexact.hardware._accelerator import Accelerator

SERIAL_STYLES = {"activation": ("serial_activations", "serial"), "weight": ("serial",)}
"""Operand -> styles of elements that take it bit by bit."""


def check_layer(machine: Accelerator, layer: LayerWorkload) -> None:
    """Raise HardwareError for a layer no array can compute: sizes that are not positive, groups that do not divide, a format too wide."""
    names = ("batch", "in_channels", "out_channels", "in_h", "in_w", "out_h", "out_w", "kernel_h", "kernel_w", "groups", "operands")
    for name in names:
        if getattr(layer, name) < 1:
            raise HardwareError(f"{name} of layer {layer.name!r} must be at least 1, not {getattr(layer, name)}")
    if layer.in_channels % layer.groups or layer.out_channels % layer.groups:
        raise HardwareError(
            f"groups of layer {layer.name!r} must divide its {layer.in_channels} input and {layer.out_channels} output channels, "
            f"not {layer.groups}"
        )
    for name in ("a_reads", "b_reads", "kept_bits"):
        if not 0 <= getattr(layer, name) < inf:
            raise HardwareError(f"{name} of layer {layer.name!r} must be a finite number of at least 0, not {getattr(layer, name)}")
    for name in ("executed", "busy", "reached", "a_sparsity", "b_sparsity"):
        if not 0 <= getattr(layer, name) <= 1:
            raise HardwareError(f"{name} of layer {layer.name!r} must be a share between 0 and 1, not {getattr(layer, name)}")
    arithmetic = layer.arithmetic
    if arithmetic.coding not in CODINGS:
        raise HardwareError(
            f"coding of {layer.name!r} must be one of {', '.join(CODINGS)}, not {arithmetic.coding!r}{near(arithmetic.coding, CODINGS)}"
        )
    if arithmetic.multiplier is not None and layer.multiplies:
        _check_format(machine, layer)


def _check_format(machine: Accelerator, layer: LayerWorkload) -> None:
    arithmetic = layer.arithmetic
    limits = {"a_bits": machine.operand_bits, "b_bits": machine.operand_bits, "accumulator_bits": machine.accumulator_bits}
    if arithmetic.system:
        del limits["accumulator_bits"]  # elements for numbers are made for them, with the adder they need
    for name, most in limits.items():
        bits = getattr(arithmetic, name)
        if bits < 1:
            raise HardwareError(f"{name} of layer {layer.name!r} must be at least 1, not {bits}")
        if bits > most:
            entry = "pe.accumulator_bits" if name == "accumulator_bits" else "pe.operand_bits"
            raise HardwareError(
                f"the processing elements of {machine.name} compute up to {most} bits, but layer {layer.name!r} asks for {name} = {bits}; "
                f"use a narrower format or raise {entry}"
            )
    if layer.serial and machine.style not in SERIAL_STYLES[layer.serial]:
        raise HardwareError(
            f"the reduction of layer {layer.name!r} must have the {layer.serial} bit by bit, but the processing elements of {machine.name} "
            f"are {machine.style.replace('_', ' ')}; take an accelerator with pe.style = {' or '.join(SERIAL_STYLES[layer.serial])}"
        )
    check_scheme(machine, layer)
    if machine.style != "parallel" and not _is_exact(arithmetic.multiplier or ""):
        raise HardwareError(
            f"the {machine.style.replace('_', ' ')} processing elements of {machine.name} have no place for {arithmetic.multiplier}, which "
            f'layer {layer.name!r} asks for; plan the exact multiplier, or an accelerator with pe.style = "parallel"'
        )


def _is_exact(spec: str) -> bool:
    return spec.partition("(")[0] == "exact"
