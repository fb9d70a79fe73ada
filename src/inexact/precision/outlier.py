"""Outlier-aware integers: most operands in a few bits, the largest in more, all in one step size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn import functional as F

from inexact.core.errors import SpecError, require_range
from inexact.core.workload import OUTLIER_LANES, Arithmetic, Coding, Products
from inexact.precision._base import formats
from inexact.precision._calibration import Observer
from inexact.precision._mixed import Codes, MixedFormat
from inexact.precision._quantiser import Quantiser
from inexact.precision.integer import GRANULARITIES, Int, one_of


@formats.register("outlier")
@final
@dataclass(frozen=True, kw_only=True)
class OutlierAware(MixedFormat):
    """Weights and activations in `bits`, but for outliers: the largest `ratio` of them, whose codes have more upper bits at the same step.

    bits: 2..8 of the bulk, a weight's sign included. a_outlier_bits: 8 or 16, b_outlier_bits: bits..8 of an outlier. ratio: share of
    outliers, above 0 and below 0.5: of the weights of an output channel (granularity "per_channel") or of a layer ("per_tensor"), and of
    the activations seen in calibration. The step is that of the largest value of the bulk, or larger where the largest outlier would not
    fit its bits. index_bits: where an outlier stands, stored with each. Coding signed or sign_magnitude.

    Reference: E. Park, D. Kim, S. Yoo, Energy-efficient neural network accelerator based on outlier-aware low-precision computation,
    ISCA 2018, doi 10.1109/ISCA.2018.00063
    """

    scheme: ClassVar[str] = "outliers"
    codings: ClassVar[tuple[Coding, ...]] = ("signed", "sign_magnitude")
    needs_zero: ClassVar[bool] = True
    shares: ClassVar[tuple[str, ...]] = ("activations", "weights", "wide_activation_products", "wide_weight_products", "crowded_groups")

    bits: int = 4
    a_outlier_bits: int = 8
    b_outlier_bits: int = 8
    ratio: float = 0.03
    granularity: str = "per_tensor"
    index_bits: int = 8

    def __post_init__(self) -> None:
        require_range("bits", self.bits, 2, 8)
        require_range("b_outlier_bits", self.b_outlier_bits, self.bits, 8, bound="bits..8")
        require_range("index_bits", self.index_bits, 0, 32)
        if self.a_outlier_bits not in (8, 16):
            raise SpecError(f"a_outlier_bits must be 8 or 16, not {self.a_outlier_bits!r}")
        if isinstance(self.ratio, bool) or not 0 < self.ratio < 0.5:
            raise SpecError(f"ratio must be a share above 0 and below 0.5, not {self.ratio!r}")
        one_of("granularity", self.granularity, GRANULARITIES)

    @property
    def a_bits(self) -> int:  # type: ignore[override]  # those of an outlier
        """Those of an outlier."""
        return self.a_outlier_bits

    @property
    def b_bits(self) -> int:  # type: ignore[override]  # those of an outlier
        """Those of an outlier."""
        return self.b_outlier_bits

    @cached_property
    def _plain(self) -> Int:
        """Integers as wide as outliers."""
        return Int(a_bits=self.a_bits, b_bits=self.b_bits, granularity=self.granularity)

    def activations(self, observer: Observer, coding: Coding) -> Quantiser:
        """Symmetric under signed coding; else sizes, which is refused later where activations were negative."""
        low, high, rows = observer.rows()
        signed = coding == "signed"
        found = self._covering(torch.maximum(-low, high), rows.abs(), self._bulk(coding), (1 << (self.a_bits - signed)) - 1, ())
        return found if signed else Quantiser(found.scale, torch.round(-low.clamp(max=0).reshape(()) / found.scale).float(), 0, found.high)

    def weights(self, weight: Tensor, coding: Coding) -> Quantiser:
        """Symmetric; weight [O, …]."""
        rows = weight.detach().float().cpu().reshape(weight.shape[0] if self.granularity == "per_channel" else 1, -1).abs()
        return self._covering(rows.amax(1).double(), rows, self._bulk("signed"), 2 ** (self.b_bits - 1) - 1, self.scale_shape(weight))

    def _covering(self, largest: Tensor, sizes: Tensor, bulk: int, top: int, shape: tuple[int, ...]) -> Quantiser:
        """Of sizes [G, n], the largest [G] given: those of the bulk up to the code `bulk`, outliers up to `top`."""
        step = torch.maximum(self._largest_but(sizes) / bulk, largest / top)
        scale = torch.where(step > 0, step, 1.0).float().reshape(shape)
        return Quantiser(scale, torch.zeros_like(scale), -top, top)

    def _largest_but(self, rows: Tensor) -> Tensor:
        """The largest of each row [G, n] once its `ratio` largest are gone, float64 [G]."""
        count = rows.shape[1]
        return rows.kthvalue(max(1, count - int(self.ratio * count)), dim=1).values.double()

    def _bulk(self, coding: Coding) -> int:
        """The largest code of the bulk."""
        return (1 << (self.bits - (coding == "signed"))) - 1

    def scale_shape(self, weight: Tensor) -> tuple[int, ...]:
        """As for integers."""
        return self._plain.scale_shape(weight)

    def outputs(self, observer: Observer) -> Quantiser:
        """As integers."""
        return self._plain.outputs(observer)

    def counted(self, codes: Codes) -> tuple[float, ...]:
        """Shares of outliers among inputs and weights; of products with a wide activation, and with a wide weight alone; of groups of 16
        weights, one of each of as many output channels, that have more than one outlier."""
        far_inputs, far_a = (self._far(x, codes.coding) for x in (codes.inputs, codes.a))
        far_b = self._far(codes.b, "signed")
        every = codes.products(torch.ones_like(far_a), torch.ones_like(far_b))
        wide_a = codes.products(far_a, torch.ones_like(far_b)) / every
        wide_b = codes.products(1 - far_a, far_b) / every
        rows = far_b.reshape(len(far_b), -1)
        groups = F.pad(rows, (0, 0, 0, -len(rows) % OUTLIER_LANES)).reshape(-1, OUTLIER_LANES, rows.shape[1]).sum(1)
        return float(far_inputs.mean()), float(far_b.mean()), wide_a, wide_b, float((groups > 1).float().mean())

    def _far(self, codes: Tensor, coding: Coding) -> Tensor:
        return (codes.abs() > self._bulk(coding)).float()

    def charged(self, found: Mapping[str, float], coding: Coding) -> Arithmetic:
        """Bulk products and those of a wide weight on the array, those of a wide activation beside it; outliers stored twice, once as a
        place in the bulk, once whole with their index (of a weight the upper bits only)."""
        wide_a, wide_b = found["wide_activation_products"], found["wide_weight_products"]
        parts = (
            Products(share=1 - wide_a - wide_b, a_bits=self.bits, b_bits=self.bits),
            Products(share=wide_b, a_bits=self.bits, b_bits=self.b_bits),
            Products(share=wide_a, a_bits=self.a_bits, b_bits=self.b_bits, beside=True),
        )
        return Arithmetic(
            a_bits=self.bits,
            b_bits=self.bits,
            coding=coding,
            scheme=self.scheme,
            parts=parts,
            waits=found["crowded_groups"],
            a_stored_bits=self.bits + found["activations"] * (self.a_bits + self.index_bits),
            b_stored_bits=self.bits + found["weights"] * (self.b_bits - self.bits + self.index_bits),
        )
