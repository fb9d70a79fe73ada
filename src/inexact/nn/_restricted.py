"""A layer with some of its output channels, and a network that shares its parameters with another: for hardware that differs in parts."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from inexact.core.errors import FormatError
from inexact.nn._approximate import ApproxModel
from inexact.nn._layer import ApproxLayer
from inexact.nn._prepared import Cache


def sharing_copy(net: ApproxModel) -> ApproxModel:
    """A copy with modules of its own and the same parameters and buffers: what is put in place of one is seen in the copy alone."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())}
    return copy.deepcopy(net, shared)


def restricted(layer: ApproxLayer, channels: Tensor) -> ApproxLayer:
    """The layer that computes only these output channels (ascending, as many of every group); its values are those of the whole layer.

    Raises FormatError for channels that do not split evenly over the groups.
    """
    groups, size = layer.contraction_groups, layer.weight.shape[0] // layer.contraction_groups
    if groups > 1 and not bool((torch.bincount(channels // size, minlength=groups) == len(channels) // groups).all()):
        raise FormatError(f"channels of layer {layer.name} must be as many in each of its {groups} groups")
    part = copy.copy(layer)
    part._parameters, part._buffers = dict(layer._parameters), dict(layer._buffers)
    part._forward_hooks, part._forward_pre_hooks = OrderedDict(), OrderedDict()
    part._cache = Cache()
    part.weight = nn.Parameter(layer.weight.detach()[channels])
    part.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach()[channels])
    for name in ("b_scale", "b_zero"):
        held = getattr(layer, name)
        setattr(part, name, held if held.numel() == 1 else held[channels])
    part.fold, part.gain = layer.fold[channels], layer.gain[channels]
    if layer.has_control:
        part.control_coefficients = layer.control_coefficients[channels]
    return part
