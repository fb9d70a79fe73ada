"""What a network asks of hardware, read off one forward pass on zeros; and what that costs."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from inexact import hardware
from inexact.core.errors import DataError
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.nn._approximate import PLANNABLE
from inexact.nn._data import device_of
from inexact.nn._layer import ApproxLayer
from inexact.nn._rule import Rule
from inexact.nn.layers import ApproxConv2d


def workload(model: nn.Module, input_shape: tuple[int, ...] | None = None, *, name: str | None = None) -> Workload:
    """The multiply-accumulate layers of a network for one input, in execution order, with the arithmetic planned for each.

    input_shape: of one input without the batch, [C, H, W]; an emulated model remembers its own.
    Raises DataError when the shape is needed or does not fit.
    """
    shape = input_shape or getattr(model, "input_shape", None)
    if shape is None:
        raise DataError("input_shape must be given, as in (1, 28, 28), for a network that does not carry it")
    probe = copy.deepcopy(model).eval()
    layers: list[LayerWorkload] = []

    def watch(layer_name: str, module: nn.Module) -> RemovableHandle:
        def hook(_module: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> None:
            layers.append(_layer(layer_name, module, received[0], output))

        return module.register_forward_hook(hook)

    for module_name, module in probe.named_modules():
        if isinstance(module, (*PLANNABLE, ApproxLayer)):
            watch(module_name.removeprefix("model.") if isinstance(module, ApproxLayer) else module_name, module)
    with torch.no_grad():
        try:
            probe(torch.zeros(1, *shape, device=device_of(probe)))
        except RuntimeError as error:
            raise DataError(f"an input of shape {shape} must fit the network: {error}") from error
    return Workload(network=name or type(getattr(model, "model", model)).__name__, layers=tuple(layers))


def estimate(
    model: nn.Module, accelerator: str | hardware.Accelerator = "edge-16x16", *, input_shape: tuple[int, ...] | None = None
) -> hardware.Cost:
    """Energy, latency and area of one inference on an accelerator (preset name, TOML file or object); every number with unit and source."""
    machine = accelerator if isinstance(accelerator, hardware.Accelerator) else hardware.load(accelerator)
    return machine.evaluate(workload(model, input_shape))


def arithmetic(rule: Rule | None, *, has_column: bool = False) -> Arithmetic:
    """The arithmetic of a rule; None means float32."""
    if rule is None:
        return Arithmetic(multiplier=None, a_bits=32, b_bits=32)
    return Arithmetic(
        multiplier=rule.unit.spec,
        a_bits=rule.format.a_bits,
        b_bits=rule.format.b_bits,
        coding=rule.coding,
        correction_column=has_column,
    )


def _layer(name: str, module: nn.Module, received: Tensor, output: Tensor) -> LayerWorkload:
    planned = arithmetic(module.rule, has_column=module.has_column) if isinstance(module, ApproxLayer) else arithmetic(None)
    if isinstance(module, (nn.Conv2d, ApproxConv2d)):
        kernel = module.weight.shape[2:]
        return LayerWorkload(
            name=name,
            kind="conv",
            batch=received.shape[0],
            in_channels=received.shape[1],
            out_channels=output.shape[1],
            in_h=received.shape[2],
            in_w=received.shape[3],
            out_h=output.shape[2],
            out_w=output.shape[3],
            kernel_h=kernel[0],
            kernel_w=kernel[1],
            groups=module.groups,
            arithmetic=planned,
        )
    rows = received.numel() // received.shape[-1]
    return LayerWorkload(
        name=name, kind="linear", in_channels=received.shape[-1], out_channels=output.shape[-1], in_h=rows, out_h=rows, arithmetic=planned
    )
