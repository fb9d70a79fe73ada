"""What a layer can compute from its weights and scales alone, kept while they do not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from inexact.kernels import Surroundings
from inexact.precision import fixed_point

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """patterns: uint8, shaped as the weight. padding_errors: float64, shaped as the weight: each tap's error on the code of zero, where
    padding is skipped."""

    patterns: Tensor
    around: Surroundings
    padding_errors: Tensor | None


@final
class Cache:
    """Keeps one `Prepared` until a tensor it was made from is written to or replaced.

    Autograd counts the writes to a tensor; those that go around it (through `.data`, or numpy) are not seen. Copies start empty.
    """

    def __init__(self) -> None:
        self._sources: list[tuple[Tensor, int]] = []
        self._kept: Prepared | None = None

    def get(self, sources: Sequence[Tensor], make: Callable[[], Prepared]) -> Prepared:
        """What `make` returns, or returned for the same contents of `sources`."""
        if any(source.is_inference() for source in sources):
            return make()  # their writes are not counted
        kept = self._kept
        if kept is None or len(sources) != len(self._sources) or not all(map(_unchanged, sources, self._sources)):
            kept = make()
            self._kept, self._sources = kept, [(source.detach(), source._version) for source in sources]
        return kept

    def __deepcopy__(self, _memo: Any) -> Cache:
        return Cache()

    def __reduce__(self) -> tuple[type[Cache], tuple[()]]:
        return Cache, ()


def _unchanged(source: Tensor, seen: tuple[Tensor, int]) -> bool:
    # `seen` shares the memory of what it was made from, so that no other tensor can have come to lie there.
    return source.data_ptr() == seen[0].data_ptr() and source.shape == seen[0].shape and source._version == seen[1]


def prepare(layer: ApproxLayer) -> Prepared:
    """The weights' patterns, and every constant of the correction sums, the requantisation and the bias."""
    form = layer.rule.format
    b = layer.b_quantiser().quantise(layer.weight.detach())
    patterns = layer.b_patterns(b)
    zb = layer.b_zero.double().reshape(-1).expand(b.shape[0])
    factor = zb if layer.rule.coding == "unsigned" else torch.zeros_like(zb)
    offset = layer.fold + layer.a_zero.double() * (b.double().reshape(b.shape[0], -1).sum(1) - b[0].numel() * factor)
    scale = (layer.a_scale.double() * layer.b_scale.double().reshape(-1) * layer.gain).expand(b.shape[0])
    bias, integer = None if layer.bias is None else layer.bias.detach(), None
    if form.integer_output:
        step = fixed_point(scale / layer.out_scale)
        offset = offset if bias is None else offset - torch.round(bias / scale)
        bias, integer = None, torch.stack([step.multiplier, step.exponent])
    quantiser = layer.a_quantiser()
    around = Surroundings(
        name=layer.name,
        scale=float(layer.a_scale),
        zero=int(layer.a_zero),
        low=quantiser.low,
        high=quantiser.high,
        bits=form.a_bits,
        constants=torch.stack([offset, scale, factor]),
        bias=bias,
        column=layer.column if layer.has_column else None,
        skip_padding=layer.skips_padding,
        integer=integer,
        integer_out=(float(layer.out_zero), float(layer.out_scale), 0.0, float(2**form.a_bits - 1)),
    )
    return Prepared(patterns=patterns, around=around, padding_errors=layer.padding_errors(patterns) if layer.skips_padding else None)
