"""Which layers' outputs go to a ReLU and nowhere else: seen by running one input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

RECTIFIERS = frozenset({"relu", "relu_", "clamp_min", "clamp_min_", "hardtanh", "hardtanh_", "clamp", "clamp_"})
"""ATen operators that send negative values to 0; those with bounds do when the lower one is 0."""

PASSES = frozenset(
    {"view", "_unsafe_view", "reshape", "detach", "alias", "t", "transpose", "permute", "contiguous", "flatten", "clone", "squeeze"}
)


@final
class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.owner: dict[int, str] = {}
        self.kept: list[Tensor] = []
        self.rectified: dict[str, bool] = {}

    def made(self, name: str, output: Tensor) -> None:
        self.owner[output.untyped_storage().data_ptr()] = name
        self.kept.append(output)  # so that no other tensor comes to lie there

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        for value in args:
            owner = self.owner.get(value.untyped_storage().data_ptr()) if isinstance(value, Tensor) else None
            if owner is not None and name not in PASSES:
                self.rectified[owner] = self.rectified.get(owner, True) and rectifies(name, args)
        return func(*args, **(kwargs or {}))


def rectifies(name: str, args: Any) -> bool:
    """Whether an operator with these arguments is a ReLU, with an upper bound or without."""
    if name not in RECTIFIERS:
        return False
    return name in {"relu", "relu_"} or (len(args) > 1 and args[1] == 0)


@torch.no_grad()
def rectified(model: nn.Module, names: Iterable[str], example: Tensor) -> dict[str, bool]:
    """Layer -> whether every use of its output is a ReLU (or a clamp from 0)."""
    watch = _Watch()
    handles = []
    for name in names:
        module = model.get_submodule(name)
        handles.append(module.register_forward_hook(lambda _m, _i, output, name=name: watch.made(name, output)))
    try:
        with watch:
            model(example)
    finally:
        for handle in handles:
            handle.remove()
    return {name: watch.rectified.get(name, False) for name in names}
