"""A network from one layer on: what comes before a fault is kept from the fault-free run, and images that heal go no further."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from torch import Tensor, fx, nn

from inexact.nn import ApproxLayer, ApproxProduct, Emulated, divided
from inexact.reliability._base import Struck
from inexact.reliability._healing import Images
from inexact.reliability._subject import Subject

FEW_VALUES = 1024
"""Inputs of a layer that are compared with the fault-free ones wherever it stands."""

Strike = Callable[[Struck], Tensor]
"""A layer without a fault on n images to what it gives with one fault an image."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Golden:
    """Images without a fault. scores: [I, classes]. values: what each step of the network gave, where steps are known."""

    images: Tensor
    scores: Tensor
    values: dict[fx.Node, Any]


class Runner(Protocol):
    """Computes scores of images that meet a fault in one layer."""

    def golden(self, images: Tensor) -> Golden:
        """The images without a fault."""
        ...

    def faulty(self, golden: Golden, layer: str, rows: Tensor, strike: Strike) -> Tensor:
        """Scores [n, classes] of images `rows` [n] (they may repeat) when `strike` says what the layer gives."""
        ...


def runner(subject: Subject) -> Runner:
    """The quick one where the network's steps can be traced and treat images one by one; else one that runs the whole network."""
    try:
        graph = _Tracer().trace(subject.net.model)
    except Exception:  # fx raises whatever the network's own code raises on a symbolic input
        return WholeNetwork(subject)
    walk = Walk(subject, graph)
    return walk if walk.agrees() else WholeNetwork(subject)


def entering(layer: Emulated, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What enters a layer whose inputs are given as the step before left them: what is stored for it are the codes of divided channels."""
    return divided(layer, inputs) if isinstance(layer, ApproxLayer) else inputs


def guarded(layer: Emulated, output: Tensor) -> Tensor:
    """An output of the faulty layer, past what may guard it."""
    return output if layer.guard is None else layer.guard(output)


@final
class WholeNetwork:
    """Runs all of the network for every batch of faults."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @torch.no_grad()
    def golden(self, images: Tensor) -> Golden:
        """Scores only."""
        return Golden(images=images, scores=self.subject.net(images), values={})

    @torch.no_grad()
    def faulty(self, golden: Golden, layer: str, rows: Tensor, strike: Strike) -> Tensor:
        """The layer's output is replaced on its way."""
        place = self.subject.places[layer]

        def replaced(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return guarded(place.layer, strike(Struck(place=place, inputs=inputs, output=output)))

        handle = place.layer.register_forward_hook(replaced)
        try:
            scores: Tensor = self.subject.net(golden.images[rows])
        finally:
            handle.remove()
        return scores


class _Tracer(fx.Tracer):
    """Takes emulated layers as they are."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Also the modules of torch, as fx itself has it."""
        return isinstance(m, (ApproxLayer, ApproxProduct)) or (m.__module__.startswith("torch.nn") and not isinstance(m, nn.Sequential))


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One tensor behind a faulty layer. compared: whether its input is compared with the fault-free run. left: what later steps need."""

    node: fx.Node
    compared: bool
    left: tuple[fx.Node, ...]


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


@final
class Walk:
    """Runs the steps behind a layer, each for the images that still differ from the fault-free run."""

    def __init__(self, subject: Subject, graph: fx.Graph) -> None:
        self.subject = subject
        self.modules = dict(subject.net.model.named_modules())
        self.nodes = list(graph.nodes)
        self.starts = {str(node.target): node for node in self.nodes if self.layer_of(node) is not None}
        self.varying = self._behind([node for node in self.nodes if node.op == "placeholder"])
        self.writers: set[fx.Node] = set()
        self.constants = self._constants()
        self.batched: set[fx.Node] = set()
        self._steps: dict[str, list[Step]] = {}

    def layer_of(self, node: fx.Node) -> Emulated | None:
        """The emulated layer that a step runs."""
        module = self.modules[str(node.target)] if node.op == "call_module" else None
        return module if isinstance(module, (ApproxLayer, ApproxProduct)) else None

    def _constants(self) -> dict[fx.Node, Any]:
        found: dict[fx.Node, Any] = {}
        for node in self.nodes:
            if node not in self.varying:
                found[node] = self.run(node, found.__getitem__)
        return found

    def _behind(self, roots: list[fx.Node]) -> set[fx.Node]:
        found = set(roots)
        for node in self.nodes:
            if any(before in found for before in node.all_input_nodes):
                found.add(node)
        return found

    def run(self, node: fx.Node, value: Callable[[fx.Node], Any]) -> Any:
        """One step. value: what an earlier one gave; a step that works in place is given copies."""
        taken = value if node not in self.writers else lambda before: _copied(value(before))
        args, kwargs = fx.node.map_arg(node.args, taken), fx.node.map_arg(node.kwargs, taken)
        if node.op == "get_attr":
            owner, _, leaf = str(node.target).rpartition(".")
            return getattr(self.modules[owner], leaf)
        if node.op == "call_module":
            return self.modules[str(node.target)](*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        if node.op == "output":
            return args[0]
        assert callable(node.target)
        return node.target(*args, **kwargs)

    @torch.no_grad()
    def golden(self, images: Tensor) -> Golden:
        """All steps."""
        values = dict(self.constants)
        for node in self.nodes:
            if node.op == "placeholder":
                values[node] = images
            elif node not in values:
                values[node] = self.run(node, values.__getitem__)
        return Golden(images=images, scores=values[self.nodes[-1]], values=values)

    @torch.no_grad()
    def _find_writers(self, images: Tensor) -> None:
        """Steps that change a tensor of an earlier one."""
        values = dict(self.constants)
        for node in self.nodes:
            if node in values:
                continue
            tensors = [values[before] for before in node.all_input_nodes if isinstance(values[before], Tensor)]
            versions = [tensor._version for tensor in tensors]
            values[node] = images.clone() if node.op == "placeholder" else self.run(node, values.__getitem__)
            if versions != [tensor._version for tensor in tensors]:
                self.writers.add(node)

    def agrees(self) -> bool:
        """Whether the steps are the network's, and one image's do not depend on the others; finds the steps with a row for every image."""
        images = self.subject.images[:3]
        try:
            self._find_writers(images)
            golden, alone, whole = self.golden(images), self.golden(images[1:]), self.subject.net(images)
        except Exception:  # steps that do not stand for what the network's code does
            return False
        for node in self.varying:
            here, there = golden.values[node], alone.values[node]
            if isinstance(here, Tensor):
                if here.shape[:1] != (len(images),) or not torch.equal(here[1:], there):
                    return False
                self.batched.add(node)
        return isinstance(golden.scores, Tensor) and torch.equal(golden.scores, whole) and set(self.starts) == set(self.subject.places)

    @torch.no_grad()
    def faulty(self, golden: Golden, layer: str, rows: Tensor, strike: Strike) -> Tensor:
        """From the layer on."""
        start, scores = self.starts[layer], golden.scores.index_select(0, rows)
        images = Images(self, golden, rows)
        before = images.kept(start)
        place = self.subject.places[layer]
        inputs = entering(place.layer, tuple(images.value(node) for node in start.all_input_nodes))
        images.put(start, guarded(place.layer, strike(Struck(place=place, inputs=inputs, output=before))), before)
        left: tuple[fx.Node, ...] = (start,)
        for step in self.steps(layer):
            images.drop_healed(left)
            if not len(images.rows):
                return scores
            images.take(step)
            left = step.left
        scores[images.numbers] = images.values[self.nodes[-1]]
        return scores

    def steps(self, layer: str) -> list[Step]:
        """Those behind a layer, in order."""
        if layer not in self._steps:
            behind = self._behind([self.starts[layer]]) & (self.batched | {self.nodes[-1]})
            order = [node for node in self.nodes if node in behind and node is not self.starts[layer]]
            steps, needed = [], set[fx.Node]()
            for place in reversed(range(len(order))):
                node = order[place]
                known = {self.starts[layer], *order[: place + 1]}
                left = tuple(before for before in known if before in needed)
                steps.append(Step(node=node, compared=self._compared(node, behind), left=left))
                needed |= self.tensors_of(node)
            self._steps[layer] = steps[::-1]
        return self._steps[layer]

    def _compared(self, node: fx.Node, behind: set[fx.Node]) -> bool:
        """Comparing costs as much as a cheap layer, and heals most right behind the fault; later only where there is little to compare."""
        layer = self.layer_of(node)
        if not isinstance(layer, ApproxLayer) or layer.rule.format.block is not None:
            return False
        earlier = set[fx.Node]()
        for before in self.nodes[: self.nodes.index(node)]:
            if before in behind and (self.layer_of(before) is not None or any(one in earlier for one in before.all_input_nodes)):
                earlier.add(before)
        first = not any(before in earlier for before in node.all_input_nodes)
        return first or math.prod(self.subject.places[str(node.target)].inputs[0]) <= FEW_VALUES

    def tensors_of(self, node: fx.Node) -> set[fx.Node]:
        """What a step needs that has a row for every image; shapes and the like are seen through."""
        found = set[fx.Node]()
        for before in node.all_input_nodes:
            if before in self.batched:
                found.add(before)
            elif before in self.varying:
                found |= self.tensors_of(before)
        return found
