"""The control that skips work decides wrongly: a product or an output that counts is left out, or one that should be left out is formed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inexact.nn import ApproxLayer, Emulated, coded_table, require_codes, windows_at
from inexact.reduction import Prediction, Reduction
from inexact.reduction.zero_skipping import ZeroSkipping
from inexact.reliability._base import ImageFault, Numbers, Site, Stratum, Struck, as_layers, chosen_places, faults, index_of
from inexact.reliability._subject import Place, Subject


@faults.register("skip_flip")
@final
@dataclass(frozen=True, kw_only=True)
class SkipFlip(ImageFault):
    """One decision of the layer's reduction is inverted.

    Under `zero_skipping(gate=true)` every product has a decision: one that is formed is left out of its sum, one that is left out is formed
    by the unit, which may make of a zero something else than 0. Under reductions that end windows early or predict negative outputs
    every output has one: an output that is computed becomes 0; one that was set to 0 is computed (one that ended exactly stays 0 behind
    the ReLU). layers: names or globs; () for all that have such a reduction. Strata: layer; sites are products or outputs.
    """

    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", as_layers(self.layers))

    @property
    def needs(self) -> str:
        """What to do about an empty population."""
        return "give layers a reduction that decides, such as zero_skipping or sign_termination"

    def strata(self, subject: Subject) -> Iterator[Stratum]:
        """Every layer whose reduction decides while it runs."""
        for place in chosen_places(subject, self.layers):
            reduction = _reduction(place)
            if reduction is None or not (_decides_products(reduction) or _decides_outputs(reduction)):
                continue
            require_codes(place.layer)
            window = _window(place) if _decides_products(reduction) else 1
            yield Stratum(layer=place.name, tensor="control", bit=None, size=math.prod(place.output) * window)

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """index: of the output of one image, then, for products, the place in its window."""
        place = subject.places[stratum.layer]
        reduction = _reduction(place)
        assert reduction is not None
        shape = (*place.output, _window(place)) if _decides_products(reduction) else place.output
        index = index_of(number, shape)
        return Site(layer=stratum.layer, tensor="control", index=index, bit=None, kind="flip", persistence=self.persistence)

    def strike(self, struck: Struck, strata: Sequence[Stratum], numbers: Numbers) -> Tensor:
        """One output of every image is computed again."""
        reduction = _reduction(struck.place)
        assert reduction is not None
        found = torch.from_numpy(numbers)
        result = struck.output.clone(memory_format=torch.contiguous_format)
        here = torch.arange(len(result))
        if _decides_products(reduction):
            window = _window(struck.place)
            result.view(len(result), -1)[here, found // window] = _other_product(struck, found // window, found % window)
        else:
            result.view(len(result), -1)[here, found] = _other_output(struck, reduction, result.view(len(result), -1)[here, found], found)
        return result


def _reduction(place: Place) -> Reduction | None:
    layer = place.layer
    return layer.reducer.reduction if isinstance(layer, ApproxLayer) and layer.reducer is not None else None


def _decides_products(reduction: Reduction) -> bool:
    return isinstance(reduction, ZeroSkipping) and reduction.gate


def _decides_outputs(reduction: Reduction) -> bool:
    return isinstance(reduction, Prediction) or (reduction.needs_rectifier and not reduction.changes)


def _window(place: Place) -> int:
    assert isinstance(place.layer, ApproxLayer)
    return place.layer.weight[0].numel()


def _other_product(struck: Struck, outputs: Tensor, taps: Tensor) -> Tensor:
    """Outputs [n] whose product at `taps` was decided the other way."""
    layer, here = struck.place.layer, torch.arange(len(outputs))
    windows = windows_at(layer, struck.inputs, struck.output, outputs)
    products = windows.products.clone()
    a, b = windows.a[here, taps], windows.b[here, taps]
    reduction = _reduction(struck.place)
    assert isinstance(reduction, ZeroSkipping)
    zero = {"activation": a == 0, "weight": b == 0, "both": (a == 0) | (b == 0)}[reduction.operand]
    products[here, taps] = torch.where(zero, _formed(layer, a, b), 0)
    sums = layer.rule.sums
    return windows.outputs(products.sum(1) if sums is None else torch.from_numpy(sums.total(products.numpy())))


def _formed(layer: Emulated, a: Tensor, b: Tensor) -> Tensor:
    """What the unit makes of codes when nothing gates it."""
    assert isinstance(layer, ApproxLayer)
    if layer.rule.exact:
        return a * b
    table = torch.from_numpy(coded_table(layer.rule.unit.spec, layer.rule.coding, layer.rule.format.b_bits).copy())
    return table[layer.arithmetic.a_patterns(a).long(), layer.arithmetic.b_patterns(b).long()].long()


def _other_output(struck: Struck, reduction: Reduction, values: Tensor, places: Tensor) -> Tensor:
    """Outputs [n] that were computed as 0; those a prediction had set to 0, as they would have been."""
    if not isinstance(reduction, Prediction):
        return torch.zeros_like(values)
    layer, x = struck.place.layer, struck.inputs[0]
    assert isinstance(layer, ApproxLayer)
    codes = layer.a_codes(x)
    whole = layer.finished(layer.sums(codes, layer.b_codes()), codes).flatten(1)[torch.arange(len(places)), places]
    return torch.where(values == 0, whole, 0.0)
