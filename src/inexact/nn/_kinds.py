"""Which float32 modules have an emulated counterpart, and taking apart the ones that hold several products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from inexact.nn._fold import replace_module
from inexact.nn._layer import ApproxLayer
from inexact.nn._rule import Rule
from inexact.nn.attention import SplitAttention
from inexact.nn.convolutions import ApproxConv1d, ApproxConv3d
from inexact.nn.layers import ApproxConv2d, ApproxLinear
from inexact.nn.products import ApproxProduct, Product
from inexact.nn.recurrent import SplitCell, SplitRecurrent
from inexact.nn.transposed import ApproxConvTranspose2d

Emulated = ApproxLayer | ApproxProduct

WITH_WEIGHTS: Mapping[type[nn.Module], Callable[[str, Rule, Any], ApproxLayer]] = {
    nn.Conv1d: ApproxConv1d,
    nn.Conv2d: ApproxConv2d,
    nn.Conv3d: ApproxConv3d,
    nn.ConvTranspose2d: ApproxConvTranspose2d,
    nn.Linear: ApproxLinear,
}

PLANNABLE: tuple[type[nn.Module], ...] = (*WITH_WEIGHTS, Product)

_SPLIT: tuple[tuple[type[nn.Module], Callable[[Any], nn.Module]], ...] = (
    (nn.MultiheadAttention, SplitAttention),
    (nn.RNNBase, SplitRecurrent),
    (nn.RNNCellBase, SplitCell),
)


def sizes_of_divisors(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Name in a state dict -> shape of the divisors of channels, which it may hold for each emulated layer, or not."""
    layers = ((name, layer) for name, layer in model.named_modules() if isinstance(layer, ApproxLayer))
    return {
        f"{name}.divisors": (layer.weight.shape[1] * layer.contraction_groups,)
        for name, layer in layers
        if not isinstance(layer, ApproxConvTranspose2d)
    }


def emulated(name: str, rule: Rule, source: nn.Module) -> Emulated:
    """The emulated counterpart of a plannable module."""
    if isinstance(source, Product):
        return ApproxProduct(name, rule)
    return next(make for kind, make in WITH_WEIGHTS.items() if isinstance(source, kind))(name, rule, source)


def split(model: nn.Module) -> nn.Module:
    """Replace, in place, every module that holds several products by one whose products are plannable; the model, or its replacement.

    It must be in eval mode. Encoders of torch are kept off the fused path, which reads weights past the modules that hold them.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False
        for kind, make in _SPLIT:
            if isinstance(module, kind):
                parts = make(module).train(module.training)
                if not name:
                    return parts
                replace_module(model, name, parts)
    return model
