"""Networks whose memories hold other bits than were written: words as stored, and layers that read them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inexact.core.errors import FaultError
from inexact.core.words import codes_of, words_of
from inexact.core.workload import Coding
from inexact.nn import ApproxLayer, ApproxModel
from inexact.reliability._sram import Failing, read_names
from inexact.reliability._subject import Place

Bits = NDArray[np.bool_]


class Read(Protocol):
    """A memory."""

    def __call__(self, written: Bits, address: int) -> Bits:
        """What is read of written bits [count], the first of which lies at an address."""


def check_memory(layer: ApproxLayer) -> None:
    """Raise FaultError unless the layer's operands are stored as integers of one scale, all of them, with padding that is multiplied."""
    form = layer.rule.format
    if layer.mixture is not None or form.system is not None or form.block is not None or form.a_grid is not None or form.b_grid is not None:
        raise FaultError(f"bits of memories are those of integers of one scale, which {layer.rule.precision} of layer {layer.name} has not")
    if layer.reducer is not None:
        raise FaultError(f"memories must hold all operands of layer {layer.name}: leave {layer.rule.reduction} away")
    if layer.skips_padding:
        raise FaultError(f"faults of memories are for padding that is multiplied, which layer {layer.name} skips: change its padding")


def checked_layers(places: Iterable[Place]) -> dict[str, ApproxLayer]:
    """The layers with weights among some places. FaultError, see `check_memory`."""
    found = {place.name: place.layer for place in places if isinstance(place.layer, ApproxLayer)}
    for layer in found.values():
        check_memory(layer)
    return found


def weighted(net: ApproxModel) -> dict[str, ApproxLayer]:
    """Every emulated layer with weights."""
    return {name: layer for name, layer in net.layers().items() if isinstance(layer, ApproxLayer)}


def with_weights_read(net: ApproxModel, layers: Iterable[str], read: Read, cells: int) -> ApproxModel:
    """A copy whose weights are what a memory of `cells` bits gives back, layer behind layer, from address 0 again when it is full.

    Constants that correct for zero points are not stored with the weights and stay.
    """
    found = copy.deepcopy(net)
    chosen = set(layers)
    address = 0
    for name, layer in weighted(found).items():
        bits = layer.rule.format.b_bits
        if name in chosen:
            _rewrite(layer, partial(read, address=address))
        address = (address + layer.weight.numel() * bits) % cells
    return found


@torch.no_grad()
def _rewrite(layer: ApproxLayer, read: Callable[[Bits], Bits]) -> None:
    old = layer.b_codes()
    bits, coding = layer.rule.format.b_bits, layer.rule.coding
    words = words_of(old.long().numpy().reshape(-1), bits, coding)
    given = _words(read(_bits(words, bits).reshape(-1)).reshape(-1, bits))
    codes = codes_of(given, bits, coding)
    if np.array_equal(given, words):
        return
    new = torch.from_numpy(codes).reshape(old.shape).to(old.dtype)
    layer.b_full_range = True
    layer.weight.copy_(layer.b_quantiser().dequantise(new))
    more = (new.double() - old.double()).flatten(1).sum(1)
    layer.fold -= (layer.a_zero.double() * more).long()


def with_activations_read(net: ApproxModel, layers: Iterable[str], failing: Failing, cells: int) -> ApproxModel:
    """A copy whose layers read their inputs from a memory with failing cells, each image's at every layer from address 0 on, from there
    again when it is full."""
    found = copy.deepcopy(net)
    chosen = set(layers)
    for name, layer in weighted(found).items():
        if name in chosen:
            layer.register_forward_pre_hook(_Reader(layer, failing, cells))
    return found


@final
class _Reader:
    """Reads the input codes of a layer from cells of which some fail."""

    def __init__(self, layer: ApproxLayer, failing: Failing, cells: int) -> None:
        self.quantiser = layer.a_quantiser()
        layer.a_full_range = True
        self.bits = layer.rule.format.a_bits
        self.coding: Coding = "signed" if layer.rule.coding == "signed" else "unsigned"
        self.failing = failing
        self.cells = cells

    @torch.no_grad()
    def __call__(self, _layer: nn.Module, received: tuple[Any, ...]) -> Tensor:
        codes = self.quantiser.quantise(received[0].detach())
        words = words_of(codes.long().numpy().reshape(len(codes), -1), self.bits, self.coding)
        given = codes_of(self.read(words), self.bits, self.coding)
        return self.quantiser.dequantise(torch.from_numpy(given).reshape(codes.shape).to(codes.dtype))

    def read(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """What is read of words [n, count]: image by image, the name of a read is its content."""
        length = words.shape[1] * self.bits
        wrong = self.failing.at(read_names(words))
        found = words.copy()
        for first in range(0, length, self.cells):
            inside = self.failing.where < min(self.cells, length - first)
            at, value, differs = self.failing.where[inside] + first, self.failing.value[inside], wrong[:, inside]
            for bit in range(self.bits):  # of which each word has one
                here = at % self.bits == bit
                place = at[here] // self.bits
                forced = np.where(value[here], words[:, place] | (1 << bit), words[:, place] & ~(1 << bit))
                found[:, place] ^= np.where(differs[:, here], words[:, place] ^ forced, 0)
        return found


def _bits(words: NDArray[np.int64], bits: int) -> Bits:
    return (words[..., None] >> np.arange(bits) & 1).astype(np.bool_)


def _words(bits: Bits) -> NDArray[np.int64]:
    return np.asarray(bits.astype(np.int64) @ (np.int64(1) << np.arange(bits.shape[-1], dtype=np.int64)))
