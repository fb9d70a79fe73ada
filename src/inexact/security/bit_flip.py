"""Bit-flip attack: the few bits of a weight memory whose flips ruin a network, found by gradients; random flips beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inexact.core.errors import DataError
from inexact.nn import ApproxModel, evaluate
from inexact.security._memory import Flip, WeightMemory
from inexact.zoo import Dataset

Permitted = Mapping[str, NDArray[np.bool_]]
"""Layer -> bool [weights, bits]: the flips an attacker can make."""

Judge = Callable[[ApproxModel], float]


@final
@dataclass(frozen=True, kw_only=True)
class FlipRun:
    """One attack. flips: in order. loss: of the attack batch before the first flip and after each. top1: percent, likewise."""

    flips: tuple[Flip, ...]
    loss: tuple[float, ...]
    top1: tuple[float, ...]

    def needed(self, limit: float) -> int | None:
        """Flips until top-1 was at most `limit` percent; None when it never was."""
        return next((count for count, top1 in enumerate(self.top1) if top1 <= limit), None)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        flips = [[flip.layer, flip.index, flip.bit, flip.before, flip.after] for flip in self.flips]
        return {"flips": flips, "loss": list(self.loss), "top1": list(self.top1)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> FlipRun:
        """What `to_json` wrote."""
        names = ("layer", "index", "bit", "before", "after")
        flips = tuple(Flip(**dict(zip(names, row, strict=True))) for row in found["flips"])
        return cls(flips=flips, loss=tuple(found["loss"]), top1=tuple(found["top1"]))


def ruined(data: Dataset) -> float:
    """Top-1 in percent at which a classifier counts as ruined: one point above the best that a single answer for all images reaches."""
    return 100 * float(torch.bincount(data.labels).max()) / len(data) + 1


def judge_on(data: Dataset) -> Judge:
    """Top-1 in percent on these images."""
    return lambda net: evaluate(net, data).top1


def attack_batch(data: Dataset, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """`size` images and labels drawn without replacement. Raises DataError when there are fewer."""
    if not 1 <= size <= len(data):
        raise DataError(f"an attack batch must have 1..{len(data)} images of {data.name!r}, not {size}")
    chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:size]
    return data.images[chosen], data.labels[chosen]


def progressive_bit_search(
    net: ApproxModel,
    batch: tuple[Tensor, Tensor],
    judge: Judge,
    *,
    flips: int = 50,
    enough: float = 0.0,
    permitted: Permitted | None = None,
    layers: Sequence[str] = (),
) -> FlipRun:
    """Flip the bit that raises the loss most, again and again.

    In every layer the gradient of the batch's cross-entropy for each stored bit (by the layer's own gradient rule) ranks the flips that
    raise it; the best of each layer is tried, and the one with the largest loss is kept.
    batch: images and labels the attacker has. judge: what is reported after each flip. flips: at most so many; it ends earlier when
    the judge says at most `enough`, or no flip raises the loss to first order. permitted: flips that can be made (default: all).
    The network is untouched. Costs one backward and one forward pass per layer and flip.

    Reference: A. S. Rakin, Z. He, D. Fan, "Bit-flip attack: crushing neural network with progressive bit search", ICCV 2019,
    arXiv:1903.12269
    """
    memory = WeightMemory(net, layers)
    losses, answers = [_loss(memory, batch)], [judge(memory.net)]
    done: list[Flip] = []
    while len(done) < flips and answers[-1] > enough:
        tried = [(_loss_after(memory, name, place, batch), name, place) for name, place in _best_of_layers(memory, batch, permitted)]
        if not tried:
            break
        loss, name, (index, bit) = max(tried)
        done.append(memory.flip(name, index, bit))
        losses.append(loss)
        answers.append(judge(memory.net))
    return FlipRun(flips=tuple(done), loss=tuple(losses), top1=tuple(answers))


def random_flips(net: ApproxModel, judge: Judge, *, flips: int, seed: int, every: int = 1) -> FlipRun:
    """Flip bits drawn at random, each at most once, judged after every `every` flips (top1 has one entry for each)."""
    memory = WeightMemory(net)
    if not 0 <= flips <= memory.bits:
        raise DataError(f"flips must be 0..{memory.bits}, the bits in memory, not {flips}")
    spans = [(name, memory.width(name), memory.width(name) * len(codes)) for name, codes in memory.codes.items()]
    answers, done = [judge(memory.net)], []
    for count, place in enumerate(np.random.default_rng(seed).choice(memory.bits, flips, replace=False).tolist(), start=1):
        at = place
        for name, width, size in spans:
            if at < size:
                done.append(memory.flip(name, at // width, at % width))
                break
            at -= size
        if count % every == 0:
            answers.append(judge(memory.net))
    return FlipRun(flips=tuple(done), loss=(), top1=tuple(answers))


def replay(net: ApproxModel, flips: Sequence[Flip], judge: Judge) -> FlipRun:
    """The same bits flipped in another network of the same layers, such as the one with approximate units: does the attack transfer?"""
    memory = WeightMemory(net)
    answers, done = [judge(memory.net)], []
    for flip in flips:
        done.append(memory.flip(flip.layer, flip.index, flip.bit))
        answers.append(judge(memory.net))
    return FlipRun(flips=tuple(done), loss=(), top1=tuple(answers))


def within_ranges(net: ApproxModel) -> Permitted:
    """The flips that a range check cannot see: the new code lies between the least and the greatest of its output channel.

    A check of stored words against each channel's certified range stops every other flip; an attacker who knows of it uses these.
    """
    memory = WeightMemory(net)
    found = {}
    for name, layer in memory.layers.items():
        codes = memory.codes[name].reshape(layer.weight.shape[0], -1)
        low, high = codes.min(axis=1)[:, None, None], codes.max(axis=1)[:, None, None]
        flipped = memory.flipped(name).reshape(*codes.shape, -1)
        found[name] = ((flipped >= low) & (flipped <= high)).reshape(codes.size, -1)
    return found


def _loss(memory: WeightMemory, batch: tuple[Tensor, Tensor]) -> float:
    with torch.no_grad():
        return float(functional.cross_entropy(memory.net(batch[0]), batch[1]))


def _loss_after(memory: WeightMemory, name: str, place: tuple[int, int], batch: tuple[Tensor, Tensor]) -> float:
    """The loss with one more flip, which is taken back."""
    flip = memory.flip(name, *place)
    loss = _loss(memory, batch)
    memory.write(name, flip.index, flip.before)
    return loss


def _best_of_layers(memory: WeightMemory, batch: tuple[Tensor, Tensor], permitted: Permitted | None) -> list[tuple[str, tuple[int, int]]]:
    """(layer, (weight, bit)) of the flip that raises the loss most to first order, in each layer where one does."""
    found = []
    for name, per_code in _slopes(memory, batch).items():
        moved = memory.flipped(name) - memory.codes[name][:, None]
        gain = per_code[:, None] * moved
        if permitted is not None:
            gain = np.where(permitted[name], gain, 0.0)
        place = int(gain.argmax())
        if gain.flat[place] > 0:
            found.append((name, divmod(place, gain.shape[1])))
    return found


def _slopes(memory: WeightMemory, batch: tuple[Tensor, Tensor]) -> dict[str, NDArray[np.float64]]:
    """By layer, how fast the loss moves with each stored code [weights]; layers the loss does not see are left out.

    The layer's own gradient is that of sums of (a - za) b. The constant za * sum b stays as it was made, so a flipped b counts with all of
    a: za times the gradient of a constant of its channel is added.
    """
    outputs: dict[str, Tensor] = {}

    def kept(name: str, output: Tensor) -> Tensor:
        outputs[name] = output
        return output.clone()  # layers that follow may write in place

    handles = [layer.register_forward_hook(lambda _m, _x, y, name=name: kept(name, y)) for name, layer in memory.layers.items()]
    try:
        loss = functional.cross_entropy(memory.net(batch[0]), batch[1])
    finally:
        for handle in handles:
            handle.remove()
    sources = [*(layer.weight for layer in memory.layers.values()), *(outputs[name] for name in memory.layers)]
    gradients = torch.autograd.grad(loss, sources, allow_unused=True)
    found = {}
    for place, (name, layer) in enumerate(memory.layers.items()):
        weight, output = gradients[place], gradients[place + len(memory.layers)]
        if weight is None or output is None:
            continue
        constant = layer.channels_first(output).flatten(1).sum(1).reshape(-1, *[1] * (weight.dim() - 1))
        slope = (weight + layer.a_zero * layer.a_scale * constant) * layer.b_scale
        found[name] = slope.flatten().numpy().astype(np.float64)
    return found
