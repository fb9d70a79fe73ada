"""Images on their way behind a fault: each step is done for those that still differ from the fault-free run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, fx

from inexact.nn import ApproxLayer, Emulated, divided

if TYPE_CHECKING:
    from inexact.reliability._walk import Golden, Step, Walk


@final
class Images:
    """n images on their way behind a fault. rows: their places among the golden ones; numbers: among the n; both of those on the way."""

    def __init__(self, walk: Walk, golden: Golden, rows: Tensor) -> None:
        self.walk = walk
        self.golden = golden
        self.rows = rows
        self.numbers = torch.arange(len(rows))
        self.values: dict[fx.Node, Tensor] = {}
        self.differs: dict[fx.Node, Tensor] = {}

    def kept(self, node: fx.Node) -> Tensor:
        """A step's value without the fault."""
        found: Tensor = self.golden.values[node].index_select(0, self.rows)
        return found

    def value(self, node: fx.Node) -> Any:
        """A step's value under the fault."""
        if node in self.values:
            return self.values[node]
        if node in self.walk.batched:
            return self.kept(node)
        if node not in self.walk.varying:
            return self.golden.values[node]
        return self.walk.run(node, self._alike if node.target in (getattr, "size") else self.value)

    def _alike(self, node: fx.Node) -> Any:
        """Something of the same shape: all that steps which give shapes look at."""
        if node in self.walk.batched and node not in self.values:
            one = self.golden.values[node][:1]
            return one.expand(len(self.rows), *one.shape[1:])
        return self.value(node)

    def put(self, node: fx.Node, value: Tensor, golden: Tensor) -> None:
        """A step is done."""
        self.values[node], self.differs[node] = value, _differ(value, golden)

    def drop_healed(self, left: tuple[fx.Node, ...]) -> None:
        """Go on without images of which nothing that is still needed differs, once they are worth the copying."""
        self.values = {node: value for node, value in self.values.items() if node in left}
        self.differs = {node: differs for node, differs in self.differs.items() if node in left}
        stay = torch.stack(list(self.differs.values())).any(0).nonzero()[:, 0]
        if len(stay) > 0.9 * len(self.rows):
            return
        self.rows, self.numbers = self.rows[stay], self.numbers[stay]
        self.values = {node: value.index_select(0, stay) for node, value in self.values.items()}
        self.differs = {node: differs[stay] for node, differs in self.differs.items()}

    def take(self, step: Step) -> None:
        """Do a step."""
        node = step.node
        differs = torch.stack([self.differs[before] for before in self.walk.tensors_of(node) if before in self.differs]).any(0)
        layer = self.walk.layer_of(node)
        if layer is not None:
            self._take_layer(step, layer, differs)
        else:
            self.values[node], self.differs[node] = self.walk.run(node, self.value), differs

    def _take_layer(self, step: Step, layer: Emulated, differs: Tensor) -> None:
        """Only for images whose codes differ, where that is known."""
        node = step.node
        operands = [self.value(before) for before in node.all_input_nodes]
        if step.compared and isinstance(layer, ApproxLayer):
            quantiser, golden = layer.a_quantiser(), self.kept(node.all_input_nodes[0])
            here, there = (quantiser.quantise(divided(layer, (x,))[0]) for x in (operands[0], golden))
            differs = differs & _differ(here, there)
        computed = differs.nonzero()[:, 0]
        if len(computed) > 0.9 * len(differs):
            self.values[node] = layer(*operands)
        else:
            result = self.kept(node)
            if len(computed):
                result[computed] = layer(*(operand.index_select(0, computed) for operand in operands))
            self.values[node] = result
        self.differs[node] = differs


def _differ(one: Tensor, other: Tensor) -> Tensor:
    """bool [n], whether anything of an image differs."""
    return (one != other).flatten(1).any(1)
