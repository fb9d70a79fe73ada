"""Folding batch normalisation into the convolution before it, as inference hardware does."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_SOURCES = (*_CONVOLUTIONS, nn.ConvTranspose2d, nn.Linear)


def fold_batch_norm(model: nn.Module) -> list[str]:
    """Fold every BatchNorm that is the only reader of a convolution or linear layer into it, in place; the norm becomes `nn.Identity`.

    The model must be in eval mode. Returns the names of the norms that stay, because the graph around them cannot be traced
    or their input is used elsewhere too; they are computed in float32 as they are.
    """
    norms = [name for name, module in model.named_modules() if isinstance(module, _NORMS)]
    if not norms:
        return []
    try:
        graph = fx.Tracer().trace(model)
    except Exception:  # fx raises whatever the model's own code raises on a symbolic input; then nothing is folded
        return norms
    modules = dict(model.named_modules())
    for producer, norm in _pairs(graph, modules):
        _absorb(modules[producer], modules[norm])
        _replace(model, norm, nn.Identity())
        norms.remove(norm)
    return norms


@torch.no_grad()
def _absorb(layer: Any, norm: Any) -> None:
    """Scale and shift the outputs of `layer` as `norm` does in eval mode; weights change one layer at a time, to spare memory."""
    if isinstance(layer, nn.ConvTranspose2d):
        _absorb_transposed(layer, norm)
        return
    fuse = fuse_conv_bn_weights if isinstance(layer, _CONVOLUTIONS) else fuse_linear_bn_weights
    layer.weight, layer.bias = fuse(layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)


def _absorb_transposed(layer: nn.ConvTranspose2d, norm: Any) -> None:
    """torch's own fusion scales the wrong axis of a grouped transposed weight [C, O/groups, kh, kw]."""
    factor = torch.rsqrt(norm.running_var + norm.eps) * (1.0 if norm.weight is None else norm.weight)
    shift = 0.0 if norm.bias is None else norm.bias
    by_group = factor.reshape(layer.groups, 1, -1, 1, 1)
    scaled = (layer.weight.reshape(layer.groups, -1, *layer.weight.shape[1:]) * by_group).flatten(0, 1)
    bias = -norm.running_mean if layer.bias is None else layer.bias - norm.running_mean
    layer.weight, layer.bias = nn.Parameter(scaled, layer.weight.requires_grad), nn.Parameter(bias * factor + shift)


def _pairs(graph: fx.Graph, modules: dict[str, nn.Module]) -> list[tuple[str, str]]:
    calls: dict[str, int] = {}
    for node in graph.nodes:
        if node.op == "call_module":
            calls[str(node.target)] = calls.get(str(node.target), 0) + 1
    found = []
    for node in graph.nodes:
        if node.op != "call_module" or not isinstance(modules[str(node.target)], _NORMS):
            continue
        before = node.args[0]
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) != 1:
            continue
        producer, norm = str(before.target), str(node.target)
        if isinstance(modules[producer], _SOURCES) and calls[producer] == 1 == calls[norm]:
            found.append((producer, norm))
    return found


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)


def replace_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` at the dotted `name` of `model`, in its training mode and on its device."""
    with torch.no_grad():
        _replace(model, name, module)
