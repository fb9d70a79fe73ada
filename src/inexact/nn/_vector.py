"""What a network does between its multiplying layers, as the accelerator's vector unit would have to: seen operator by operator."""

from __future__ import annotations

from math import prod
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from inexact.core.workload import LayerWorkload
from inexact.nn._sources import Sources

_KINDS = {
    **dict.fromkeys(("add", "sub"), "add"),
    **dict.fromkeys(("mul", "div"), "multiply"),
    **dict.fromkeys(("max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "mean", "amax", "avg_pool1d", "max_pool1d"), "pool"),
    **dict.fromkeys(
        ("native_layer_norm", "native_batch_norm", "_native_batch_norm_legit_no_training", "native_group_norm"), "normalisation"
    ),
    **dict.fromkeys(("_softmax", "_log_softmax", "_safe_softmax"), "softmax"),
    **dict.fromkeys(("gelu", "silu", "hardswish", "sigmoid", "tanh", "hardsigmoid", "elu", "softplus", "mish"), "activation"),
}
"""ATen operator -> kind of layer. Rectifiers and clamps are missing: the requantiser clips for nothing."""


@final
class VectorOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds the operations it sees to `layers`, but none from inside a layer that multiplies. One input: the batch is 1.

    sources: where the inputs of layers come from.
    """

    def __init__(self, layers: dict[str, LayerWorkload]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers = layers
        self.sources = Sources()
        self.depth = 0

    def enter(self, name: str, received: tuple[Tensor, ...]) -> None:
        """A multiplying layer begins."""
        self.sources.enter(name, received)
        self.depth += 1

    def leave(self, layer: LayerWorkload, output: Tensor) -> None:
        """It has ended."""
        self.depth -= 1
        self.sources.leave(layer.name, layer.kind, output)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if self.depth:
            return found
        name = func.overloadpacket.__name__
        kind = _KINDS.get(name) or _KINDS.get(name.rstrip("_"))
        if kind is not None:
            self._add(kind, args, found[0] if isinstance(found, tuple) else found)
        self.sources.operate(name, args, kwargs, found)
        return found

    def _add(self, kind: str, args: Any, output: Tensor) -> None:
        tensors = [value for value in args if isinstance(value, Tensor) and value.dim() > 1]
        large = [value for value in tensors if value.numel() > 1 and value.is_floating_point()]
        if not large or (kind in {"add", "multiply"} and len(large) < 2):
            return  # with a constant: folded into the requantiser
        source = max(large, key=torch.Tensor.numel)
        name, count = kind, 1
        while name in self.layers:
            count += 1
            name = f"{kind}_{count}"
        self.layers[name] = LayerWorkload(
            name=name,
            kind=kind,
            operands=2 if kind in {"add", "multiply"} and len(large) > 1 else 1,
            **_sizes("in", source),
            **_sizes("out", output),
        )


def _sizes(side: str, x: Tensor) -> dict[str, Any]:
    """channels, h, w of a tensor with its batch: everything that is not rows and columns counts as channels."""
    height, width = (x.shape[-2], x.shape[-1]) if x.dim() >= 4 else (1, 1)
    return {f"{side}_channels": prod(x.shape) // (height * width), f"{side}_h": height, f"{side}_w": width}
