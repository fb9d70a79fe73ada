"""How well power traces correlate with what leaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from inexact.atlas.claims._networks import emulated
from inexact.atlas.claims.checks._base import Check, Measured, kinds


@kinds.register("trace_correlation")
@final
@dataclass(frozen=True, kw_only=True)
class TraceCorrelation(Check):
    """Pearson's correlation of noisy power traces of a layer's multiply-accumulate elements with the right hypothesis of what leaks.

    rules: of the network, a plan's table. leakage: product_weight, product_distance or accumulator_distance. snr: variance of a filter's
    signal, mean over its cycles, over that of its noise. traces: of every filter. Mean over filters with its 95 % t interval; samples of a
    filter are one series.
    """

    network: str
    data: str
    rules: dict[str, Any]
    layer: str
    leakage: str = "product_weight"
    snr: float = 0.1
    traces: int = 4096
    images: int = 50

    @property
    def unit(self) -> str:
        """A correlation."""
        return "1"

    def measure(self) -> Measured:
        """By simulating traces."""
        from inexact import zoo
        from inexact.security.leakage import leakages
        from inexact.security.side_channel import elements, noise_of, traces_of

        net, model = emulated(self.network, self.data, self.rules), leakages.get(self.leakage)
        found = elements(net, self.layer, zoo.data(self.data, "test", self.images).images)
        signals = [element.drawn(self.traces, seed).signal(model) for seed, element in found.items()]
        values = [_correlation(signal, traces_of(signal, noise_of([signal], self.snr), seed)) for seed, signal in enumerate(signals)]
        return Measured.mean(values, detail=f"{self.traces} traces of {len(values)} filters, {self.layer} of {self.network} on {self.data}")


def _correlation(signal: np.ndarray, traces: np.ndarray) -> float:
    """Of all samples, each less the mean of its cycle."""
    a, b = (samples - samples.mean(axis=0) for samples in (signal, traces))
    return float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()))
