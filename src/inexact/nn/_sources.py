"""Which layers get their whole input from the requantisation of one other, channel by channel: seen by running one input."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, final

from torch import Size, Tensor
from torch.utils._pytree import tree_leaves

from inexact.nn._rectified import RECTIFIERS, rectifies

_SAME = frozenset({"alias", "clone", "contiguous", "detach"})
_POOLS = frozenset({"max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d"})
_OVER_AXES = frozenset({"mean", "amax"})
_VIEWS = frozenset({"view", "_unsafe_view", "reshape", "squeeze", "unsqueeze"})


@final
@dataclass(eq=False)
class _Passed:
    """A tensor that a layer's output became. axis: of its channels; before: what it was made of; uses: by anything."""

    value: Tensor  # kept, so that no other tensor comes to lie there
    owner: str
    axis: int
    before: _Passed | None = None
    uses: int = 0


@final
class Sources:
    """Follows the outputs of convolutions and linear layers through what commutes with a positive factor for each channel: a ReLU, whose
    upper bound, where it has one, gets the factor too; pooling; and views that leave the channels an axis of their own."""

    def __init__(self) -> None:
        self._known: dict[int, _Passed] = {}
        self._entered: dict[str, list[_Passed | None]] = {}
        self._left: list[str] = []

    def use(self, values: Any) -> list[_Passed]:
        """Something reads these tensors. What is known of them."""
        found = [self._known[id(value)] for value in tree_leaves(values) if isinstance(value, Tensor) and id(value) in self._known]
        for passed in found:
            passed.uses += 1
        return found

    def enter(self, layer: str, received: tuple[Tensor, ...]) -> None:
        """A layer gets its inputs."""
        found = self.use(received)
        self._entered.setdefault(layer, []).append(found[0] if len(received) == len(found) == 1 else None)

    def leave(self, layer: str, kind: str, output: Tensor) -> None:
        """A layer of a kind, as in its workload, has made its output."""
        self._left.append(layer)
        axis = _axis(kind, output)
        inputs = self._entered[layer]
        if inputs[-1] is not None and inputs[-1].axis != _axis(kind, inputs[-1].value):
            inputs[-1] = None
        if axis is not None:
            self._known[id(output)] = _Passed(output, layer, axis)

    def operate(self, name: str, args: Any, kwargs: Any, made: Any) -> None:
        """An ATen operator has run outside of layers. made: its output, of which the first tensor counts."""
        read = self.use((args, kwargs))
        output = made[0] if isinstance(made, tuple) else made
        if not isinstance(output, Tensor):
            return
        axis = _axis_behind(name, args, read[0], output.shape) if len(read) == 1 else None
        if axis is None:
            self._known.pop(id(output), None)
        else:
            self._known[id(output)] = _Passed(output, read[0].owner, axis, read[0])

    def of(self, layer: str) -> str:
        """The layer whose output alone, used by nothing else, becomes the input of this one; "" where there is none, or one runs twice."""
        inputs = self._entered.get(layer, [])
        passed = inputs[0] if len(inputs) == 1 else None
        owner = "" if passed is None else passed.owner
        while passed is not None:
            if passed.uses != 1:
                return ""
            passed = passed.before
        return owner if self._left.count(owner) == 1 else ""


def _axis(kind: str, x: Tensor) -> int | None:
    """Of the channels of what enters and leaves a layer."""
    return {"conv": 1, "linear": x.dim() - 1}.get(kind)


def _axis_behind(name: str, args: Any, passed: _Passed, shape: Size) -> int | None:
    """Where an operator leaves the channels, each by itself; None where it does not, or more than a factor tells the outputs apart."""
    old, axis, plain = passed.value.shape, passed.axis, name.rstrip("_")
    if name in RECTIFIERS:
        return axis if rectifies(name, args) else None
    if plain in _SAME:
        return axis
    if plain in _POOLS:
        return axis if axis == 1 and len(old) == 4 else None
    if plain in _OVER_AXES:
        return _axis_over(args, axis, len(old), kept=len(shape) == len(old))
    return _axis_in_view(old, axis, shape) if name in _VIEWS else None


def _axis_over(args: Any, axis: int, dimensions: int, *, kept: bool) -> int | None:
    """Behind a mean or maximum over axes."""
    over = [place % dimensions for place in args[1]] if len(args) > 1 and isinstance(args[1], (list, tuple)) else list(range(dimensions))
    if axis in over:
        return None
    return axis if kept else axis - sum(place < axis for place in over)


def _axis_in_view(old: Size, axis: int, new: Size) -> int | None:
    """The axis of the same size with as many values before and behind it."""
    sides = (prod(old[:axis]), old[axis], prod(old[axis + 1 :]))
    return next((place for place, size in enumerate(new) if (prod(new[:place]), size, prod(new[place + 1 :])) == sides), None)
