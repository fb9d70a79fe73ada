"""Finding the range a quantiser should cover: min-max, percentile, or the range with the least mean squared error."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from inexact.core.errors import FormatError, SpecError, near

METHODS = ("minmax", "percentile", "mse")
_SAMPLE = 1 << 16
_SHRINK_STEPS = 60


class Observer:
    """Collects what flows through a tensor: exact minimum and maximum, and an evenly strided sample of at most 65,536 values a batch."""

    def __init__(self) -> None:
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
        stride = max(1, flat.numel() // _SAMPLE)
        self._samples.append(flat[::stride].cpu())

    @property
    def sample(self) -> Tensor:
        """All sampled values, float32 [n]."""
        return torch.cat(self._samples)

    def range(self, method: str, *, percentile: float, error: Callable[[float, float, Tensor], float]) -> tuple[float, float]:
        """The range (low, high) to cover, always holding zero.

        method: "minmax", "percentile" (that share of the values on each side, in percent) or "mse".
        error: mean squared quantisation error of a candidate range on a sample, for "mse".
        Raises FormatError when nothing was observed.
        """
        if not self._samples:
            raise FormatError("calibration must see at least one value; none came")
        if method == "percentile":
            tail = torch.quantile(self._thin(), torch.tensor([1 - percentile / 100, percentile / 100]))
            return min(0.0, float(tail[0])), max(0.0, float(tail[1]))
        low, high = min(0.0, self.low), max(0.0, self.high)
        if method == "minmax":
            return low, high
        sample = self._thin()
        factors = [1 - 0.8 * step / _SHRINK_STEPS for step in range(_SHRINK_STEPS)]
        best = min(factors, key=lambda factor: error(low * factor, high * factor, sample))
        return low * best, high * best

    def _thin(self) -> Tensor:
        sample = self.sample
        return sample[:: max(1, sample.numel() // (1 << 18))]


def check_method(method: str) -> None:
    """Raise SpecError unless `method` is a calibration this module knows."""
    if method not in METHODS:
        raise SpecError(f"calibration must be one of {', '.join(METHODS)}, not {method!r}{near(method, METHODS)}")
