"""How many times rarer silent errors become behind range checks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import CALIBRATION, check_images, emulated
from inexact.atlas.claims.checks._base import Check, Measured, kinds
from inexact.core.errors import ClaimError
from inexact.metrics import normal_quantile


@kinds.register("clipping_gain")
@final
@dataclass(frozen=True, kw_only=True)
class ClippingGain(Check):
    """Rate of wrong answers (SDC-1) under `fault`, over that of the same network behind `mitigation`.

    count: faults of either. The interval is that of the ratio of two independent rates, 95 % on the logarithm (D. Katz et al., Biometrics
    34(3), 1978, doi:10.2307/2530610), half an error and half a fault added to either.
    """

    network: str
    data: str
    rules: dict[str, Any]
    fault: str
    mitigation: str = "range_clip"
    count: int = 20_000
    images: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check_images(self.images)
        if self.count < 100:
            raise ClaimError(f"count must be at least 100 faults, not {self.count}")

    @property
    def unit(self) -> str:
        """A ratio."""
        return "1"

    def measure(self) -> Measured:
        """By injecting faults."""
        from inexact import zoo
        from inexact.nn import first_inputs
        from inexact.reliability import mitigations, sdc_rate

        net, data = emulated(self.network, self.data, self.rules), zoo.data(self.data, "test", self.images)
        seen = first_inputs(zoo.data(self.data, "validation", CALIBRATION), CALIBRATION)
        guarded = mitigations.get(self.mitigation).protected(net, seen)
        bare, left = (sdc_rate(one, data, self.fault, count=self.count, seed=self.seed) for one in (net, guarded))
        ratio, low, high = ratio_of(*((rate.value * rate.effective, rate.effective) for rate in (bare, left)))
        detail = f"{100 * bare.value:.2f} % and {100 * left.value:.2f} % of {self.count} faults, {self.network} on {self.data}"
        return Measured(value=ratio, low=low, high=high, n=2 * self.count, detail=detail)


def ratio_of(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float, float]:
    """Ratio of two rates, each (errors, faults), with its interval; half an error and half a fault are added to either."""
    errors, faults = ([counts[place] + 0.5 for counts in (first, second)] for place in (0, 1))
    ratio = errors[0] / faults[0] * faults[1] / errors[1]
    spread = math.exp(normal_quantile(0.95) * math.sqrt(sum(1 / error - 1 / fault for error, fault in zip(errors, faults, strict=True))))
    return ratio, ratio / spread, ratio * spread
