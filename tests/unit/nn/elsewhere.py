"""A make-believe device: tensors that say they lie on "meta", compute on the CPU, and refuse to meet ordinary ones."""

from __future__ import annotations

import copy
from typing import Any, Self

import pytest
import torch
from torch import Tensor, nn
from torch._library.custom_ops import OPDEFS
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

DEVICE = torch.device("meta")


class Distant(Tensor):
    """A tensor of the device; `near` holds its numbers."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> Distant:
        made = Tensor._make_wrapper_subclass(
            cls, near.shape, strides=near.stride(), storage_offset=near.storage_offset(), dtype=near.dtype, device=DEVICE
        )
        made.near = near
        return made

    def tolist(self) -> Any:
        """The numbers: a copy to the CPU, as on CUDA."""
        return self.near.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return run(func, args, kwargs or {})


class Elsewhere(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is on, tensors made on the device are `Distant`."""

    def __enter__(self) -> Self:
        self._tensor, self._patch = torch.tensor, pytest.MonkeyPatch()
        self._patch.setattr(torch, "tensor", self._made)  # torch's own has no values on "meta"
        TorchDispatchMode.__enter__(self)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *failure: Any) -> None:
        TorchDispatchMode.__exit__(self, *failure)  # type: ignore[no-untyped-call]
        self._patch.undo()

    def _made(self, data: Any, *, dtype: torch.dtype | None = None, device: Any = None) -> Tensor:
        made = self._tensor(data, dtype=dtype)
        return made if device is None or torch.device(device) != DEVICE else Distant(made)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operator on the numbers; RuntimeError where tensors of two devices meet, as on CUDA."""
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
    distant = [value for value in tensors if isinstance(value, Distant)]
    moves = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
    stray = [value for value in tensors if not isinstance(value, Distant) and value.dim() > 0]
    if distant and stray and not moves:
        raise RuntimeError(f"{func} got tensors of two devices: {[list(value.shape) for value in stray]} lie on the CPU")
    written = OPDEFS.get(f"{func.namespace}::{func._schema.name.split('::')[1]}")
    if distant and written is not None:
        with Elsewhere():  # type: ignore[no-untyped-call]
            return written._init_fn(*args, **kwargs)
    where = kwargs.get("device")
    found = func(*near(args), **near({**kwargs, "device": torch.device("cpu")} if where is not None else kwargs))
    here = torch.device(where) == DEVICE if where is not None else bool(distant)
    if func._schema.is_mutable and found is near(args[0]):
        return args[0]
    return tree_map(lambda value: Distant(value) if isinstance(value, Tensor) else value, found) if here else found


def near(values: Any) -> Any:
    """The same with the numbers of distant tensors."""
    flat, spec = tree_flatten(values)
    return tree_unflatten([value.near if isinstance(value, Distant) else value for value in flat], spec)


def moved(model: nn.Module) -> nn.Module:
    """A copy of the model on the device, without gradients."""
    copied = copy.deepcopy(model)
    for module in copied.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(Distant(parameter.detach()), requires_grad=False))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, Distant(buffer))
    return copied
