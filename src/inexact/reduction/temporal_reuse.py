"""Computation reuse over time: an input's sums are those of the one before, corrected for the activations that changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from inexact.core.errors import SpecError
from inexact.reduction._base import Reduction, View, Work, reductions
from inexact.reduction._lanes import LANES

SUM_BITS = 32
"""Of a sum that is kept for the next input."""


@reductions.register("temporal_reuse")
@final
@dataclass(frozen=True, kw_only=True)
class TemporalReuse(Reduction):
    """Activations are rounded to equidistant clusters; of an input only those whose cluster differs from the input before are multiplied,
    by the difference, and added to the sums that were kept: y_t = y_(t-1) + sum of w (q_t - q_(t-1)). The output is that of the rounded
    activations, exactly.

    clusters: levels of an activation over all its codes, a power of two, 4..256; as many as there are codes: none is rounded. Under signed
    coding half of them are below 0. frames: successive inputs that
    are a sequence, 2..64; the first of each is computed whole. The work is counted on calibration inputs in their order.
    Needs an exact unit. A difference has one bit more than a cluster's number.

    Reference: M. Riera, J.-M. Arnau, A. Gonzalez, Computation reuse in DNNs by exploiting input similarity, ISCA 2018,
    doi:10.1109/ISCA.2018.00016
    """

    exact_units_only: ClassVar[bool] = True
    changes: ClassVar[bool] = True
    clusters: int = 16
    frames: int = 16

    def __post_init__(self) -> None:
        if self.clusters not in {2**bits for bits in range(2, 9)}:
            raise SpecError(f"clusters must be a power of two from 4 to 256, not {self.clusters!r}")
        if not 2 <= self.frames <= 64:
            raise SpecError(f"frames must be 2..64, not {self.frames!r}")

    @property
    def sequence(self) -> int:
        """Inputs that belong together."""
        return self.frames

    def rounded(self, values: Tensor, view: View) -> Tensor:
        """Activation values in codes without zero point, rounded to the nearest level; 0 stays 0, and codes stay in their range."""
        bits = view.width[0]
        step = max(1, 2**bits // self.clusters)
        zero = view.zero_points(slice(0, 1))[0].double()
        low, high = (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1) if view.coding == "signed" else (0, 2**bits - 1)
        least, most = torch.ceil((low - zero) / step), torch.floor((high - zero) / step)
        found: Tensor = torch.floor(values.double() / step + 0.5).clamp(least, most) * step
        return found

    def reduce(self, view: View, threshold: Tensor) -> Tensor:
        """The layer's output for rounded activations."""
        found = torch.empty_like(view.result)
        for channels, a in view.windows():
            found[channels] = view.outputs(view.weights(channels).double() @ self.rounded(a, view).T, channels)
        return found

    def changed(self, values: Tensor) -> Tensor:
        """bool, shaped as rounded values [N, …]: which differ from those of the input before; all in the first of a sequence."""
        found = torch.ones_like(values, dtype=torch.bool)
        found[1:] = values[1:] != values[:-1]
        found[:: self.frames] = True
        return found

    def work(self, view: View, threshold: Tensor, reduced: Tensor) -> Work:
        """Products of changed activations; comparisons and differences of all; what is kept: clusters of inputs, and sums."""
        elements, outputs, inputs = view.inputs.numel(), view.result.numel(), len(view.inputs)
        made = products = read = offered = needed = delivered = 0
        for channels, a in view.windows():
            changed = self.changed(self.rounded(a, view).reshape(inputs, -1, a.shape[1]))  # [N, positions, K]
            filters, strips = len(view.weights(channels)), _strips(changed)
            made, products = made + int(changed.sum()) * filters, products + changed.numel() * filters
            read, offered = read + int(changed.sum()), offered + changed.numel()
            needed, delivered = needed + int(strips.sum()), delivered + strips.numel()
        own = float(self.changed(self.rounded(view.inputs, view)).double().mean())
        index, again = math.log2(self.clusters), 1 - math.ceil(inputs / self.frames) / inputs
        return Work(
            multiplications=made / products,
            additions=made / products,
            time=made / products,
            checks=elements * (1 + own) * index / SUM_BITS / products,
            a_reads=(read + elements) / offered,
            b_reads=needed / delivered,
            kept_bits=SUM_BITS * (1 + again) + elements * index * (own + again) / outputs,
        )


def _strips(changed: Tensor) -> Tensor:
    """Whether any of `LANES` neighbouring output positions needs a weight, bool [N, strips, K]."""
    inputs, positions, taps = changed.shape
    missing = -positions % LANES if positions > LANES else 0
    padded = torch.cat([changed, changed.new_zeros(inputs, missing, taps)], 1)
    return padded.reshape(inputs, -1, min(LANES, positions), taps).any(2)
