"""What a network asks of hardware, read off one forward pass on zeros; and what that costs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from inexact import hardware
from inexact.core.errors import DataError, PlanError
from inexact.core.workload import Arithmetic, LayerWorkload, Workload, settled
from inexact.nn._approximate import ApproxModel
from inexact.nn._bounds import bounds
from inexact.nn._columns import Columns, planned_columns, used_columns
from inexact.nn._data import Data, device_of
from inexact.nn._dissect import dissect
from inexact.nn._divisors import planned_divisions, with_divisions
from inexact.nn._histograms import operand_histograms
from inexact.nn._kinds import PLANNABLE
from inexact.nn._layer import ApproxLayer
from inexact.nn._modes import mode_shares
from inexact.nn._numbers import factors
from inexact.nn._plan import Plan
from inexact.nn._rule import Rule
from inexact.nn._vector import VectorOperations
from inexact.nn.exits import exits_of
from inexact.nn.products import ApproxProduct
from inexact.precision import Format, MixedFormat
from inexact.precision.blocks import SCALE_BITS
from inexact.reduction import Work, reductions
from inexact.units import Multiplier


def workload(model: nn.Module, input_shape: tuple[int, ...] | None = None, *, name: str | None = None) -> Workload:
    """The layers of a network for one input, in execution order, with the arithmetic planned for each.

    Layers that multiply and accumulate carry their names; what the vector unit does between them (additions of branches, pooling,
    normalisation, activations but ReLU, which the requantiser clips) is named after the operation.
    input_shape: of one input without the batch, [C, H, W]; an emulated model remembers its own.
    Raises DataError when the shape is needed or does not fit.
    """
    shape = input_shape or getattr(model, "input_shape", None)
    if shape is None:
        raise DataError("input_shape must be given, as in (1, 28, 28), for a network that does not carry it")
    try:
        network, names = _named(model, shape)
        layers = _run(network, names, torch.zeros(1, *shape, device=device_of(model)))
    except RuntimeError as error:
        raise DataError(f"an input of shape {shape} must fit the network: {error}") from error
    return Workload(network=name or type(getattr(model, "model", model)).__name__, layers=settled(layers))


def _named(model: nn.Module, shape: tuple[int, ...]) -> tuple[nn.Module, dict[str, nn.Module]]:
    """A network to run and, by name, what multiplies in it."""
    if isinstance(model, ApproxModel):
        emulation = copy.deepcopy(model).eval()
        return emulation, _multiplying(emulation.model)
    network = dissect(model, torch.zeros(1, *shape, device=device_of(model))).model
    return network, _multiplying(network)


def _multiplying(model: nn.Module) -> dict[str, nn.Module]:
    kinds: tuple[type[nn.Module], ...] = (*PLANNABLE, ApproxLayer, ApproxProduct)
    found: dict[str, nn.Module] = dict(model.named_modules())
    return {name: module for name, module in found.items() if isinstance(module, kinds)}


@torch.no_grad()
def _run(network: nn.Module, names: dict[str, nn.Module], example: Tensor) -> list[LayerWorkload]:
    """One entry a layer; a layer that runs several times (a recurrent one) has as many times the batch."""
    layers: dict[str, LayerWorkload] = {}
    between = VectorOperations(layers)

    def watch(name: str, module: nn.Module) -> None:
        def hook(_module: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> None:
            layer = _layer(name, module, received, output)
            between.leave(layer, output)
            before = layers.get(name)
            layers[name] = layer if before is None else replace(before, batch=before.batch + layer.batch)

        module.register_forward_pre_hook(lambda _module, received: between.enter(name, received), prepend=True)
        module.register_forward_hook(hook)

    for name, module in names.items():
        watch(name, module)
    with between:
        between.sources.use(network(example))
    rules = {name: module.rule for name, module in names.items() if isinstance(module, ApproxLayer)}
    divided = {name for name in rules if names[name].divisors is not None}
    traced = [replace(layer, source=between.sources.of(layer.name)) for layer in layers.values()]
    found, exits = with_divisions(traced, rules, divided), exits_of(network)
    return found if exits is None else reached(found, exits.reach.tolist())


def reached(layers: Sequence[LayerWorkload], reach: Sequence[float]) -> list[LayerWorkload]:
    """Layers in execution order with the share of inputs that come to each, which falls behind every exit that is not closed.

    reach: the share that comes to each classifier, the last being the network's own.
    """
    place = {layer.name: index for index, layer in enumerate(layers)}
    found = list(layers)
    for exit_, share in enumerate(reach[1:]):
        if (head := f"exits.{exit_}.linear") in place:
            behind = place[head] + 3  # its softmax, and the largest of it, decide
            found[behind:] = [replace(layer, reached=share) for layer in found[behind:]]
    return found


def measured_workload(net: ApproxModel, data: Data, *, name: str | None = None, images: int = 512) -> Workload:
    """The workload of an emulated network with the operands its layers meet: histograms of both, and the share of zeros.

    Layers with weights only, over the first `images` inputs; products of two activations keep the operands of trained networks.
    """
    counted = operand_histograms(net, data, images=images)
    built = net.layers()

    def met(layer: LayerWorkload) -> LayerWorkload:
        found, source = counted.get(layer.name), built.get(layer.name)
        if found is None or not isinstance(source, ApproxLayer):
            return layer
        if source.mixture is not None:
            raise DataError(
                f"operands of layer {layer.name} in {source.rule.precision} have several widths or scales, and are charged as those of "
                "trained networks only: leave measured operands away"
            )
        counted_b = found.b if found.modal is None else found.modal
        a, b = found.a / found.a.sum(), counted_b / counted_b.sum()
        zero = int(source.a_zero) if layer.arithmetic.coding != "signed" else 0
        return replace(layer, a_histogram=tuple(a.tolist()), b_histogram=tuple(b.tolist()), a_sparsity=float(a[zero]))

    exact = workload(net, name=name)
    return Workload(network=exact.network, layers=tuple(met(layer) for layer in exact.layers))


def estimate(
    model: nn.Module, accelerator: str | hardware.Accelerator = "edge-16x16", *, input_shape: tuple[int, ...] | None = None
) -> hardware.Cost:
    """Energy, latency and area of one inference on an accelerator (preset name, TOML file or object); every number with unit and source."""
    machine = accelerator if isinstance(accelerator, hardware.Accelerator) else hardware.load(accelerator)
    return machine.evaluate(workload(model, input_shape))


KINDS = {"conv": "Conv2d", "conv_transpose": "ConvTranspose2d", "linear": "Linear", "product": "Product"}
"""Kind of a layer of a workload -> class name that `type:` keys of a plan match."""


def planned_workload(exact: Workload, plan: Plan) -> Workload:
    """A workload under a plan, layer by layer, without a network: what an ONNX file's shapes allow. Planned columns count as used, and
    planned divisors of channels.

    Raises PlanError for keys that match no layer, and for reductions, whose work is only known from data.
    """
    if plan.exits is not None:
        raise PlanError("what exits save must be measured on data: give the network itself instead of its shapes")
    rules = plan.resolve({layer.name: KINDS.get(layer.kind, layer.kind) for layer in exact.multiplying})

    def under(layer: LayerWorkload) -> LayerWorkload:
        if not layer.multiplies:
            return layer
        rule = rules[layer.name]
        if rule is None:
            return replace(layer, arithmetic=arithmetic(None, layer))
        if rule.modes != "uniform":
            raise PlanError(f"the modes of the weights of layer {layer.name} must be known: give the network itself instead of its shapes")
        if isinstance(rule.format, MixedFormat):
            raise PlanError(
                f"what {rule.precision} takes in layer {layer.name} must be counted on data: give the network itself instead of its shapes"
            )
        if rule.reduction != "none":
            raise PlanError(
                f"what {rule.reduction} leaves in layer {layer.name} must be counted on data: give the network itself instead of its shapes"
            )
        columns = planned_columns("none" if rule.exact else rule.recovery)
        return replace(layer, arithmetic=arithmetic(rule, layer, columns), **left(rule, Work()))

    found = with_divisions([under(layer) for layer in exact.layers], rules, planned_divisions(exact.layers, rules))
    return Workload(network=exact.network, layers=settled(found))


def arithmetic(
    rule: Rule | None,
    shape: LayerWorkload,
    columns: Columns | None = None,
    *,
    mixed: Arithmetic | None = None,
    modes: Sequence[tuple[str, float]] = (),
) -> Arithmetic:
    """The arithmetic of a rule for a layer of some shape, without correction columns unless they are given; None means float32.

    mixed: what its format asks for, where it has several widths or scales. modes: of its weights, (spec, share), where they have some.
    """
    if rule is None:
        return Arithmetic(multiplier=None, a_bits=32, b_bits=32)
    form = rule.format
    plain = Arithmetic(
        multiplier=rule.unit.spec,
        a_bits=form.a_bits,
        b_bits=form.b_bits,
        coding=rule.coding,
        system=form.system or "",
        block=form.block or 0,
        a_stored_bits=_with_scale(form, form.a_bits, shape.in_channels // shape.groups),
        b_stored_bits=_with_scale(form, form.b_bits, shape.in_channels // shape.groups),
    )
    return replace(
        mixed or plain,
        accumulator_bits=_sum_bits(rule, shape.window),
        correction_column=columns is not None and columns.shared,
        factors=0 if columns is None else columns.factors,
        coefficient_bits=0 if columns is None else columns.bits,
        adder="exact" if rule.sums is None or str(rule.sums.adder).startswith("exact_adder") else str(rule.sums.adder),
        modes=tuple(modes),
        mode_bits=_mode_bits(rule, shape.window) if modes else 0.0,
    )


def _mode_bits(rule: Rule, window: int) -> float:
    """Bits of a mode with each weight; one code a filter is stored once for all of them."""
    unit = rule.unit
    assert isinstance(unit, Multiplier)
    return unit.mode_bits / (window if rule.modes == "per_filter" else 1)


def _with_scale(form: Format, bits: int, channels: int) -> float | None:
    """Bits an operand takes in memory with its share of a block's scale; None without blocks."""
    return None if form.block is None else bits + SCALE_BITS * -(-channels // form.block) / channels


def _sum_bits(rule: Rule, window: int) -> int:
    """Width of a layer's sums: those of numbers hold every exact one (of a block, whose sums are then float32)."""
    if rule.sums is not None:
        return rule.sums.width
    if rule.format.system is None:
        return 32
    added = window if rule.format.block is None else min(window, rule.format.block)
    exact = 1 + factors(rule.unit.spec).product_bits + (added - 1).bit_length()
    return exact if rule.format.block is None else max(32, exact)


def _layer(name: str, module: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> LayerWorkload:
    shape = LayerWorkload(name=name, **bounds(module, received, output))
    if not isinstance(module, (ApproxLayer, ApproxProduct)):
        return replace(shape, arithmetic=arithmetic(None, shape))
    if isinstance(module, ApproxProduct):
        return replace(shape, arithmetic=arithmetic(module.rule, shape, used_columns(module)))
    mixture = module.mixture
    mixed = None if mixture is None else mixture.format.charged(mixture.found(name), module.rule.coding)
    modes = () if module.rule.modes == "uniform" else mode_shares(module)
    planned = arithmetic(module.rule, shape, used_columns(module), mixed=mixed, modes=modes)
    work = left(module.rule, Work()) if module.reducer is None else left(module.rule, module.reducer.measured)
    found = replace(shape, arithmetic=planned, **work)
    return found if mixture is None else replace(found, checks=mixture.format.filtered * found.inputs / found.macs)


def left(rule: Rule, work: Work) -> dict[str, Any]:
    """What the rule's reduction leaves, the elements it needs, and what is stored of weights, as fields of a `LayerWorkload`."""
    return {
        "executed": work.multiplications,
        "added": work.additions,
        "busy": min(1.0, work.time),
        "stored": work.weights * (1.0 if isinstance(rule.format, MixedFormat) else rule.format.stored_bits / rule.format.b_bits),
        "checks": work.checks,
        "serial": reductions.get(rule.reduction).serial_operand,
        "a_reads": work.a_reads,
        "b_reads": work.b_reads,
        "kept_bits": work.kept_bits,
    }
