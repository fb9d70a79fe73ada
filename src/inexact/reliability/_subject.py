"""The network that faults happen in: its emulated layers, and the shapes of what enters and leaves them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from inexact.core.errors import FaultError
from inexact.nn import ApproxModel, Emulated

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """One emulated layer. inputs, output: shapes of its operands and of its output for one image, without the batch."""

    name: str
    layer: Emulated
    inputs: tuple[Shape, ...]
    output: Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """An emulated network. places: by name, in the order in which the layers run. images: a few inputs, the shape every fault is for."""

    net: ApproxModel
    places: dict[str, Place]
    images: Tensor = field(repr=False)

    @classmethod
    @torch.no_grad()
    def of(cls, net: ApproxModel, images: Tensor) -> Subject:
        """Look at one image on its way through the network. Raises FaultError for networks without emulated layers, or with layers that
        one image enters more than once."""
        seen: list[Place] = []
        layers = net.layers()
        names = {id(layer): name for name, layer in layers.items()}

        def watch(module: nn.Module, received: tuple[Tensor, ...], output: Tensor) -> None:
            name = names[id(module)]
            shapes = tuple(tuple(x.shape[1:]) for x in received)
            seen.append(Place(name=name, layer=layers[name], inputs=shapes, output=tuple(output.shape[1:])))

        handles = [layer.register_forward_hook(watch) for layer in layers.values()]
        try:
            net(images[:1])
        finally:
            for handle in handles:
                handle.remove()
        if not seen:
            raise FaultError("faults need emulated layers, but the plan leaves all of the network in float32; give it rules")
        repeated = [name for name, count in Counter(place.name for place in seen).items() if count > 1]
        if repeated:
            raise FaultError(
                f"faults need layers that run once an image, but {', '.join(repeated)} run more often; keep them out of the plan"
            )
        return cls(net=net, places={place.name: place for place in seen}, images=images)
