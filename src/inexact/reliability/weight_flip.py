"""A bit of a stored weight is inverted while one image is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.nn import ApproxLayer, outputs_with_weights, require_codes, require_unpruned_outputs
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
from inexact.reliability._words import flipped_b


@faults.register("weight_flip")
@final
@dataclass(frozen=True, kw_only=True)
class WeightFlip(ImageFault):
    """One bit of one weight code of a Conv2d or Linear layer is inverted, for all products of an image.

    bits: of the stored word, 0 the least significant; () for all. layers: names or globs; () for all. A word is two's complement under
    signed coding, sign and magnitude under sign-magnitude coding, binary otherwise. Constants that correct for zero points and the bias
    are not stored with the weights and stay. Strata: layer and bit; sites of a stratum are its weights.
    """

    bits: tuple[int, ...] = ()
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", as_bits(self.bits))
        object.__setattr__(self, "layers", as_layers(self.layers))

    def strata(self, subject: Subject) -> Iterator[Stratum]:
        """Every bit of every layer with weights."""
        for place in chosen_places(subject, self.layers):
            if not isinstance(place.layer, ApproxLayer):
                continue
            require_codes(place.layer)
            require_unpruned_outputs(place.layer)
            for bit in chosen_bits(self.bits, place.layer.rule.format.b_bits, f"weights of layer {place.name}"):
                yield Stratum(layer=place.name, tensor="weight", bit=bit, size=place.layer.weight.numel())

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """index: of the weight [O, …]."""
        layer = subject.places[stratum.layer].layer
        assert isinstance(layer, ApproxLayer)
        index = index_of(number, layer.weight.shape)
        return Site(layer=stratum.layer, tensor="weight", index=index, bit=stratum.bit, kind="flip", persistence=self.persistence)

    def strike(self, struck: Struck, strata: Sequence[Stratum], numbers: Numbers) -> Tensor:
        """One output channel of every image is computed with its own weights."""
        layer = struck.place.layer
        assert isinstance(layer, ApproxLayer)
        places = torch.from_numpy(numbers)
        codes = flipped_b(layer.rule, layer.b_codes().flatten()[places], bits_of(strata))
        return outputs_with_weights(layer, struck.inputs[0], places, codes, struck.output)
