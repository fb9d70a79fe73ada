"""A bit of the code that a layer hands on is inverted: every reader of the output sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.nn import require_codes
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
from inexact.reliability._subject import Subject
from inexact.reliability._words import flipped_word


@faults.register("output_flip")
@final
@dataclass(frozen=True, kw_only=True)
class OutputFlip(ImageFault):
    """One bit of one output word of a layer is inverted before any activation function or shortcut reads it.

    The word is binary, as wide as activations, in the scale and zero point that calibration found for the layer's outputs. Under integer
    requantisation it is the layer's output; under float requantisation the output moves by as much as its nearest code does when the bit
    is inverted. bits, layers: as for `activation_flip`. Strata: layer and bit; sites are the outputs.
    """

    bits: tuple[int, ...] = ()
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", as_bits(self.bits))
        object.__setattr__(self, "layers", as_layers(self.layers))

    def strata(self, subject: Subject) -> Iterator[Stratum]:
        """Every bit of every layer's outputs."""
        for place in chosen_places(subject, self.layers):
            require_codes(place.layer)
            for bit in chosen_bits(self.bits, place.layer.rule.format.a_bits, f"outputs of layer {place.name}"):
                yield Stratum(layer=place.name, tensor="output", bit=bit, size=math.prod(place.output))

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """index: in the output of one image."""
        index = index_of(number, subject.places[stratum.layer].output)
        return Site(layer=stratum.layer, tensor="output", index=index, bit=stratum.bit, kind="flip", persistence=self.persistence)

    def strike(self, struck: Struck, strata: Sequence[Stratum], numbers: Numbers) -> Tensor:
        """One element of every output moves."""
        layer, places, here = struck.place.layer, torch.from_numpy(numbers), torch.arange(len(numbers))
        bits = layer.rule.format.a_bits
        result = struck.output.clone(memory_format=torch.contiguous_format)
        values = result.flatten(1)[here, places]
        codes = torch.clamp(torch.round(values / layer.out_scale) + layer.out_zero, 0, 2**bits - 1)
        flipped = flipped_word(codes, bits_of(strata), bits, signed=False).to(codes.dtype)
        if layer.rule.format.integer_output:
            values = (flipped - layer.out_zero) * layer.out_scale
        else:
            values = values + (flipped - codes) * layer.out_scale
        result.view(len(result), -1)[here, places] = values
        return result
