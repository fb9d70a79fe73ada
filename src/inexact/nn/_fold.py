"""Folding batch normalisation into the convolution before it, as inference hardware does."""

from __future__ import annotations

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def fold_batch_norm(model: nn.Module) -> list[str]:
    """Fold every BatchNorm that is the only reader of a Conv2d or Linear into it, in place; the norm becomes `nn.Identity`.

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
        source = modules[producer]
        fused = fuse_conv_bn_eval(source, modules[norm]) if isinstance(source, nn.Conv2d) else fuse_linear_bn_eval(source, modules[norm])
        _replace(model, producer, fused)
        _replace(model, norm, nn.Identity())
        norms.remove(norm)
    return norms


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
        if isinstance(modules[producer], (nn.Conv2d, nn.Linear)) and calls[producer] == 1 == calls[norm]:
            found.append((producer, norm))
    return found


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)


def replace_module(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` at the dotted `name` of `model`, in its training mode and on its device."""
    with torch.no_grad():
        _replace(model, name, module)
