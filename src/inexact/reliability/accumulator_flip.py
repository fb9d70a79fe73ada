"""A bit of an accumulator is inverted between two additions, or when the sum is complete."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from inexact.core.errors import FaultError, SpecError, near, require_range
from inexact.nn import ApproxLayer, ApproxProduct, require_codes, require_unpruned_outputs, windows_at
from inexact.reliability._base import (
    ImageFault,
    Numbers,
    Site,
    Stratum,
    Struck,
    as_bits,
    as_layers,
    bits_of,
    chosen_bits,
    chosen_places,
    faults,
    index_of,
)
from inexact.reliability._subject import Place, Subject
from inexact.reliability._words import flipped_word, wrapped

MOMENTS = ("any", "final")


@faults.register("accumulator_flip")
@final
@dataclass(frozen=True, kw_only=True)
class AccumulatorFlip(ImageFault):
    """One bit of the register that sums the raw products of codes of one output is inverted.

    when: "any" (after any of the additions into the register, each alike) or "final" (once the sum is complete). bits, layers: as for
    `activation_flip`. width: bits, 2..48, of the register where the plan leaves sums exact; it must hold every sum, and wraps. Where the
    plan names an accumulator, its width, adder, order and overflow stand: later additions go on from the inverted value.
    Products come in the order channel of the group, kernel row, kernel column. Strata: layer and bit; sites are output and addition.
    """

    bits: tuple[int, ...] = ()
    layers: tuple[str, ...] = ()
    when: str = "any"
    width: int = 32

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", as_bits(self.bits))
        object.__setattr__(self, "layers", as_layers(self.layers))
        if self.when not in MOMENTS:
            raise SpecError(f"when must be any or final, not {self.when!r}{near(str(self.when), MOMENTS)}")
        require_range("width", self.width, 2, 48)

    def strata(self, subject: Subject) -> Iterator[Stratum]:
        """Every bit of every layer's sums."""
        for place in chosen_places(subject, self.layers):
            require_codes(place.layer)
            if isinstance(place.layer, ApproxLayer):
                require_unpruned_outputs(place.layer)
            width = self._width(place)
            for bit in chosen_bits(self.bits, width, f"accumulators of layer {place.name}"):
                yield Stratum(layer=place.name, tensor="accumulator", bit=bit, size=math.prod(place.output) * self._moments(place))

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """index: of the output of one image, then the number of additions done, from 1 on."""
        place = subject.places[stratum.layer]
        output, moment = divmod(number, self._moments(place))
        index = index_of(output, place.output)
        done = moment + 1 if self.when == "any" else _additions(place)
        return Site(
            layer=stratum.layer, tensor="accumulator", index=(*index, done), bit=stratum.bit, kind="flip", persistence=self.persistence
        )

    def strike(self, struck: Struck, strata: Sequence[Stratum], numbers: Numbers) -> Tensor:
        """One output of every image is summed again."""
        place, moments = struck.place, self._moments(struck.place)
        outputs = torch.from_numpy(numbers // moments)
        done = numbers % moments + 1 if self.when == "any" else np.full(len(numbers), _additions(place))
        windows = windows_at(place.layer, struck.inputs, struck.output, outputs)
        sums = place.layer.rule.sums
        if sums is None:
            total = _exact(windows.products, torch.from_numpy(done), bits_of(strata), self.width)
        else:
            struck_at = _Inverted(bits_of(strata), done, sums.width)
            total = torch.from_numpy(sums.total(windows.products.numpy(), struck_at))
        result = struck.output.clone(memory_format=torch.contiguous_format)
        result.view(len(result), -1)[torch.arange(len(result)), outputs] = windows.outputs(total)
        return result

    def _moments(self, place: Place) -> int:
        return _additions(place) if self.when == "any" else 1

    def _width(self, place: Place) -> int:
        rule = place.layer.rule
        if rule.sums is not None:
            return rule.sums.width
        peak = 2 ** (rule.format.a_bits + rule.format.b_bits) if rule.exact else int(place.layer.table.abs().max())
        reach = peak * _window(place)
        if reach >= 1 << (self.width - 1):
            raise FaultError(
                f"accumulators of {self.width} bits must hold the sums of layer {place.name}, which may reach {reach}; "
                f"give the fault width={reach.bit_length() + 1}"
            )
        return self.width


def _window(place: Place) -> int:
    """Products of one output."""
    return place.inputs[0][-1] if isinstance(place.layer, ApproxProduct) else place.layer.weight[0].numel()


def _additions(place: Place) -> int:
    sums = place.layer.rule.sums
    return -(-_window(place) // (1 if sums is None else sums.group))


def _exact(products: Tensor, done: Tensor, bit: Tensor, width: int) -> Tensor:
    """Sums of [n, K] products in a register that wraps, a bit of which is inverted after `done` products."""
    partial = products.cumsum(1)[torch.arange(len(products)), done - 1]
    return wrapped(products.sum(1) + flipped_word(partial, bit, width, signed=True) - partial, width)


@final
@dataclass(frozen=True)
class _Inverted:
    """Inverts a bit of registers of `width` bits, each after `done` additions [n]."""

    bit: Tensor
    done: Numbers
    width: int

    def __call__(self, values: Numbers, count: int) -> Numbers:
        flipped = flipped_word(torch.from_numpy(values), self.bit, self.width, signed=True).numpy()
        return np.where(count == self.done, flipped, values)
