"""A bit of a stored activation is inverted: of an input code of a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.nn import ApproxProduct, outputs_with_codes, require_codes
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
from inexact.reliability._words import flipped_a, flipped_b

SIDES = ("left", "right")


@faults.register("activation_flip")
@final
@dataclass(frozen=True, kw_only=True)
class ActivationFlip(ImageFault):
    """One bit of one input code of a layer, or of an operand of a product of activations, is inverted; all products of the layer see it.

    It stands in the layer's own input buffer: another layer or shortcut that reads the same tensor does not see it (see `output_flip`).
    bits: 0 the least significant; () for all. layers: names or globs; () for all. The code may become one that quantisation never gives,
    such as -128. Sums of codes that correct for weight zero points see the inverted bit too. Strata: layer, bit, and for products of
    activations the operand, "left" or "right"; sites are the elements.
    """

    bits: tuple[int, ...] = ()
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", as_bits(self.bits))
        object.__setattr__(self, "layers", as_layers(self.layers))

    def strata(self, subject: Subject) -> Iterator[Stratum]:
        """Every bit of every operand."""
        for place in chosen_places(subject, self.layers):
            require_codes(place.layer)
            form = place.layer.rule.format
            operands = zip(place.inputs, (form.a_bits, form.b_bits), SIDES if len(place.inputs) == 2 else ("",), strict=False)
            for shape, width, part in operands:
                for bit in chosen_bits(self.bits, width, f"activations of layer {place.name}"):
                    yield Stratum(layer=place.name, tensor="activation", bit=bit, size=math.prod(shape), part=part)

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """index: in the operand of one image."""
        shape = subject.places[stratum.layer].inputs[1 if stratum.part == "right" else 0]
        index = index_of(number, shape)
        return Site(layer=stratum.layer, tensor="activation", index=index, bit=stratum.bit, kind="flip", persistence=self.persistence)

    def strike(self, struck: Struck, strata: Sequence[Stratum], numbers: Numbers) -> Tensor:
        """Only outputs whose window holds the code are computed."""
        layer, places, bits = struck.place.layer, torch.from_numpy(numbers), bits_of(strata)
        if isinstance(layer, ApproxProduct):
            a, b = (q.quantise(x).contiguous() for q, x in zip((layer.a_quantiser(), layer.b_quantiser()), struck.inputs, strict=True))
            right = torch.tensor([stratum.part == "right" for stratum in strata])
            for codes, flip, here in ((a, flipped_a, ~right), (b, flipped_b, right)):
                index = (here.nonzero()[:, 0], places[here])
                codes.view(len(codes), -1)[index] = flip(layer.rule, codes.flatten(1)[index], bits[here]).to(codes.dtype)
            return layer.finished(layer.sums(a, b), a)
        x = struck.inputs[0]
        codes = layer.a_quantiser().quantise(x.flatten(1)[torch.arange(len(x)), places])
        return outputs_with_codes(layer, x, places, flipped_a(layer.rule, codes, bits), struck.output)
