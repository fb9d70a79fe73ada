"""Making a network ready for a plan: a copy whose every emulated multiplication is a module with a name."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inexact.nn._data import device_of
from inexact.nn._fold import fold_batch_norm, replace_module
from inexact.nn._functional import find, give_names, take_over
from inexact.nn._kinds import PLANNABLE, split


@dataclass(kw_only=True)
class Dissected:
    """A network in eval mode, taken apart. kinds: class name of everything a plan can name, in module order.

    unfolded: batch norms left in float32. unplanned: multiplications written as function calls that no plan reaches.
    """

    model: nn.Module
    kinds: dict[str, str]
    unfolded: list[str]
    unplanned: list[str]

    def replace(self, name: str, module: nn.Module) -> None:
        """Put an emulated layer in the place of what `name` is."""
        take_over(self.model.get_submodule(name), module)
        if name:
            replace_module(self.model, name, module)
        else:
            self.model = module


def dissect(model: nn.Module, inputs: Tensor | None = None) -> Dissected:
    """A copy of the network with its batch norms folded, its attention and recurrent modules taken apart, its functional products named.

    inputs: some inputs, of which one is run to find the products written as function calls; without them, zeros of the shape the network
    carries as `input_shape`; without that, such products stay in float32.
    """
    result = split(copy.deepcopy(model).eval())
    unfolded = fold_batch_norm(result)
    shape = getattr(model, "input_shape", None)
    example = inputs[:1] if inputs is not None else None if shape is None else torch.zeros(1, *shape, device=device_of(model))
    unplanned: list[str] = []
    if example is not None:
        found = find(result, example, PLANNABLE)
        give_names(result, found)
        unplanned = found.others
    kinds = {name: type(module).__name__ for name, module in result.named_modules() if isinstance(module, PLANNABLE)}
    return Dissected(model=result, kinds=kinds, unfolded=unfolded, unplanned=unplanned)


def plannable(model: nn.Module, inputs: Tensor | None = None) -> dict[str, str]:
    """Everything a plan can name in a network, layer or product -> class name (`Conv2d`, `Product`, …); `inputs` as for `dissect`."""
    return dissect(model, inputs).kinds
