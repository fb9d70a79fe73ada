"""Precision by region: activations of sensitive regions of an image in 8 bits, the others in their upper bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn import functional as F

from inexact.core.errors import SpecError, require_range
from inexact.core.workload import Arithmetic, Coding, Products
from inexact.precision._base import formats
from inexact.precision._calibration import Observer
from inexact.precision._mixed import Codes, MixedFormat
from inexact.precision._quantiser import Quantiser
from inexact.precision.integer import Int

WIDE = 8
"""Bits of sensitive operands."""


@formats.register("regions")
@final
@dataclass(frozen=True, kw_only=True)
class RegionBased(MixedFormat):
    """8-bit activations times 8-bit weights where a region is sensitive, their upper `bits` times each other elsewhere.

    side: a region is side x side pixels of all channels (the last ones of an image may be smaller). It is sensitive when the mean |x| over
    it is above a threshold, fixed so that `share` (above 0, at most 1) of the regions seen in calibration are. bits: 2..7. Upper bits of a
    size: half a unit of theirs is added, lower bits are dropped, and what then overflows is the largest. calibration, weight_calibration,
    percentile: as for integers, weights per channel. Conv2d layers; coding signed, or sign_magnitude for activations not negative.

    Reference: Z. Song et al., DRQ: dynamic region-based quantization for deep neural network acceleration, ISCA 2020,
    doi 10.1109/ISCA45697.2020.00086
    """

    scheme: ClassVar[str] = "regions"
    codings: ClassVar[tuple[Coding, ...]] = ("signed", "sign_magnitude")
    shares: ClassVar[tuple[str, ...]] = ("sensitive_pixels", "wide_products")
    splits: ClassVar[bool] = True
    needs_image: ClassVar[bool] = True
    needs_zero: ClassVar[bool] = True
    filtered: ClassVar[int] = 1

    side: int = 4
    share: float = 0.25
    bits: int = 4
    calibration: str = "minmax"
    weight_calibration: str = "minmax"
    percentile: float = 99.99

    def __post_init__(self) -> None:
        require_range("side", self.side, 1, 64)
        require_range("bits", self.bits, 2, WIDE - 1)
        if isinstance(self.share, bool) or not 0 < self.share <= 1:
            raise SpecError(f"share must be a share of the regions, above 0 and at most 1, not {self.share!r}")
        self._plain  # noqa: B018  its checks are those of the calibrations

    @property
    def a_bits(self) -> int:  # type: ignore[override]  # those of a sensitive one
        """Those of a sensitive one."""
        return WIDE

    @property
    def b_bits(self) -> int:  # type: ignore[override]  # those of a sensitive one
        """Those of a sensitive one."""
        return WIDE

    @cached_property
    def _plain(self) -> Int:
        """The 8-bit integers that operands are taken from."""
        return Int(calibration=self.calibration, weight_calibration=self.weight_calibration, percentile=self.percentile)

    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """As integers."""
        return self._plain.activations(observer, coding)

    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """As integers."""
        return self._plain.weights(weight, coding)

    def scale_shape(self, weight: Tensor) -> tuple[int, ...]:
        """As for integers."""
        return self._plain.scale_shape(weight)

    def outputs(self, observer: Observer) -> Quantiser:
        """As integers."""
        return self._plain.outputs(observer)

    def observer(self) -> Observer:
        """Means of regions beside the values."""
        return Observer(summary=self._means)

    def threshold(self, observer: Observer) -> float:
        """The largest mean of a region that is not sensitive; below 0 when all are."""
        means, _ = observer.summaries.sort()
        plain = len(means) - int(self.share * len(means))
        return float(means[plain - 1]) if plain else -1.0

    def _means(self, values: Tensor) -> Tensor:
        """[N, C, H, W] to the mean size of each region [N, 1, h, w]; nothing for what is no image."""
        if values.dim() != 4:
            return values.new_empty(0)
        sizes = values.abs().mean(1, keepdim=True)
        return F.avg_pool2d(sizes, self.side, ceil_mode=True, count_include_pad=False)

    def _sensitive(self, codes: Codes) -> Tensor:
        """1 at sensitive pixels [N, 1, H, W]."""
        found = (self._means(codes.values).double() > codes.threshold).float()
        height, width = codes.values.shape[2:]
        return found.repeat_interleave(self.side, 2).repeat_interleave(self.side, 3)[:, :, :height, :width]

    def _upper(self, codes: Tensor, top: int) -> Tensor:
        """Codes whose sizes are the nearest multiples of their lowest upper bit."""
        unit = 1 << (WIDE - self.bits)
        return (torch.floor(codes.abs() / unit + 0.5).clamp(max=top) * unit).copysign(codes)

    def parts(self, codes: Codes) -> tuple[tuple[Tensor, Tensor], ...]:
        """Sensitive activations with whole weights, the upper bits of the others with those of the weights."""
        sensitive = codes.padded(self._sensitive(codes))
        top = (1 << (self.bits - 1)) - 1
        upper = self._upper(codes.a, top if codes.coding == "signed" else (1 << self.bits) - 1)
        return (codes.a * sensitive, codes.b), (upper * (1 - sensitive), self._upper(codes.b, top))

    def counted(self, codes: Codes) -> tuple[float, ...]:
        """Shares of sensitive pixels, and of products with them."""
        sensitive = self._sensitive(codes)
        every = torch.ones_like(codes.a)
        weights = torch.ones_like(codes.b)
        wide = codes.products(every * codes.padded(sensitive), weights) / codes.products(every, weights)
        return float(sensitive.mean()), wide

    def charged(self, found: Mapping[str, float], coding: Coding) -> Arithmetic:
        """Operands stored in 8 bits; products of 8 bits where sensitive, of the upper bits elsewhere."""
        wide = found["wide_products"]
        parts = (
            Products(share=wide, a_bits=WIDE, b_bits=WIDE),
            Products(share=1 - wide, a_bits=self.bits, b_bits=self.bits),
        )
        return Arithmetic(coding=coding, scheme=self.scheme, parts=parts)
