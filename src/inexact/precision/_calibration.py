"""Finding the range a quantiser should cover: min-max, percentile, or the range with the least mean squared error."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from inexact.core.errors import FormatError, SpecError, near

METHODS = ("minmax", "percentile", "mse")
_SAMPLE = 1 << 16
_SHRINK_STEPS = 60
_LARGEST = 1 << 18
_KEPT = 4096


class Observer:
    """Collects what flows through a tensor: exact minimum and maximum, and an evenly strided sample of at most 65,536 values a batch.

    summary: of a batch, kept whole beside, see `summaries`.
    """

    def __init__(self, summary: Callable[[Tensor], Tensor] | None = None) -> None:
        self._summary = summary
        self._summaries: list[Tensor] = []
        self.low = math.inf
        self.high = -math.inf
        self._samples: list[Tensor] = []

    def update(self, values: Tensor) -> None:
        """Add one batch (any shape). Raises FormatError when it holds NaN or infinity."""
        flat = values.detach().reshape(-1).float()
        if flat.numel() == 0:
            return
        low, high = (float(v) for v in torch.aminmax(flat))
        if not (math.isfinite(low) and math.isfinite(high)):
            raise FormatError("values must be finite to find their range; NaN or infinity came")
        self.low, self.high = min(self.low, low), max(self.high, high)
        if self._summary is not None:
            self._summaries.append(self._summary(values.detach().float()).reshape(-1).cpu())
        stride = max(1, flat.numel() // _SAMPLE)
        self._samples.append(flat[::stride].cpu().clone())  # a view would keep the whole batch

    @property
    def summaries(self) -> Tensor:
        """What `summary` made of all batches, one dimension."""
        return torch.cat(self._summaries)

    @property
    def sample(self) -> Tensor:
        """All sampled values, float32 [n]."""
        return torch.cat(self._samples)

    def rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """(low [1], high [1], sample [1, n]) for `ranges`. Raises FormatError when nothing was observed."""
        if not self._samples:
            raise FormatError("calibration must see at least one value; none came")
        sample = self.sample
        thinned = sample[:: max(1, sample.numel() // _LARGEST)]
        return torch.tensor([self.low], dtype=torch.float64), torch.tensor([self.high], dtype=torch.float64), thinned[None]


def ranges(
    low: Tensor,
    high: Tensor,
    rows: Tensor,
    *,
    method: str,
    percentile: float,
    error: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The ranges to cover, (low, high) float64 [G], always holding zero, one for each of G groups of values.

    low, high: float64 [G], least and greatest value. rows: float32 [G, n], values or a sample of them.
    method: "minmax", "percentile" (that share of the values on each side, in percent) or "mse": the shrunk range with the least error.
    error: mean squared quantisation error [G] of candidate ranges on `rows`, for "mse".
    """
    if method == "percentile":
        thinned = rows[:, :: max(1, rows.shape[1] // _LARGEST)]  # torch.quantile takes no more than 2**24 values
        tail = torch.quantile(thinned.double(), torch.tensor([1 - percentile / 100, percentile / 100], dtype=torch.float64), dim=1)
        return tail[0].clamp(max=0), tail[1].clamp(min=0)
    low, high = low.clamp(max=0), high.clamp(min=0)
    if method == "minmax":
        return low, high
    assert error is not None
    factors = [1 - 0.8 * step / _SHRINK_STEPS for step in range(_SHRINK_STEPS)]
    errors = torch.stack([error(low * factor, high * factor) for factor in factors])
    best = torch.tensor(factors, dtype=torch.float64)[errors.argmin(0)]
    return low * best, high * best


_FOUND: OrderedDict[tuple[object, ...], tuple[Tensor, Tensor]] = OrderedDict()
"""Ranges found, by what they were found for: a study calibrates the same layers to the same values in every trial."""


def remembered(kind: tuple[object, ...], values: tuple[Tensor, ...], search: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """`search()`, or what it gave before for the same kind and the same values (compared by SHA-256); the last 4096 are kept."""
    hashed = hashlib.sha256()
    for tensor in values:
        hashed.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        hashed.update(np.ascontiguousarray(tensor.numpy()).data)
    key = (*kind, hashed.digest())
    if key not in _FOUND:
        _FOUND[key] = search()
        if len(_FOUND) > _KEPT:
            _FOUND.popitem(last=False)
    low, high = _FOUND[key]
    return low.clone(), high.clone()


def check_method(method: str) -> None:
    """Raise SpecError unless `method` is a calibration this module knows."""
    if method not in METHODS:
        raise SpecError(f"calibration must be one of {', '.join(METHODS)}, not {method!r}{near(method, METHODS)}")
