"""What a layer can compute from its weights and scales alone, kept while they do not change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from inexact.kernels import Surroundings
from inexact.nn._modes import padding_errors, parts_of
from inexact.precision import fixed_point

if TYPE_CHECKING:
    from inexact.nn._layer import ApproxLayer

_AT_ONCE = 1 << 16  # weights


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """patterns: uint8, shaped as the weight, codes of `table`. whole: whether that one table gives the layer's sums, which the modes of
    weights may need several for. padding_errors: float64, shaped as the weight: each tap's error on the code of zero, where padding is
    skipped."""

    patterns: Tensor
    table: Tensor
    whole: bool
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
    form, channels = layer.rule.format, layer.weight.shape[0]
    patterns, totals = _weight_codes(layer)
    zb = layer.b_zero.double().reshape(-1).expand(channels)
    factor = zb if layer.rule.coding == "unsigned" else torch.zeros_like(zb)
    offset = layer.fold + layer.a_zero.double() * (totals - layer.weight[0].numel() * factor)
    scale = (layer.a_scale.double() * layer.b_scale.double().reshape(-1) * layer.gain).expand(channels)
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
    differs = layer.skips_padding and not layer.rule.exact
    parts = parts_of(layer, patterns)
    return Prepared(
        patterns=parts[0].codes,
        table=parts[0].table,
        whole=len(parts) == 1,
        around=around,
        padding_errors=padding_errors(layer, patterns) if differs else None,
    )


def _weight_codes(layer: ApproxLayer) -> tuple[Tensor, Tensor]:
    """The weights' patterns, and for each output channel the sum of its codes, float64 [O]; some channels at a time, to stay in cache."""
    weight, quantiser = layer.weight.detach(), layer.b_quantiser()
    patterns = torch.empty(weight.shape, dtype=torch.uint8, device=weight.device)
    totals = torch.empty(weight.shape[0], dtype=torch.float64, device=weight.device)
    step = max(1, _AT_ONCE // max(1, weight[0].numel()))
    for start in range(0, weight.shape[0], step):
        part = slice(start, start + step)
        codes = quantiser.of_channels(part).quantise(weight[part])
        patterns[part] = layer.arithmetic.b_patterns(codes)
        totals[part] = codes.flatten(1).sum(1, dtype=torch.float64)
    return patterns, totals
