"""How many images withstand attacks, in an approximate network and beside the exact one."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import Any, final

from inexact.atlas.claims._networks import CALIBRATION, check_images, plan_of, trained
from inexact.atlas.claims.checks._base import Check, Measured, kinds, one_of
from inexact.core.errors import ClaimError

SHOWS = ("robust", "gain", "gain_over_float32")


@kinds.register("attacked")
@final
@dataclass(frozen=True, kw_only=True)
class Attacked(Check):
    """Share of the first `images` test images that withstand every one of `attacks` by an attacker of `threat`, as in `inexact attack run`.

    rules: of the approximate network, a plan's table; the exact one has the same formats with exact products. epsilon: of the attacks'
    measure (all of them the same), pixels 0..1. shows: robust, percent of the approximate network with its Wilson interval; gain, points
    more than the exact network; gain_over_float32, points more than the float32 network; both paired, 95 %. Images that are wrong without
    attack count as not withstanding.
    """

    network: str
    data: str
    rules: dict[str, Any]
    attacks: tuple[str, ...]
    threat: str
    epsilon: float
    shows: str = "gain"
    images: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        check_images(self.images)
        one_of("shows", self.shows, SHOWS)
        if not self.attacks:
            raise ClaimError("attacks must hold at least one attack")

    @property
    def unit(self) -> str:
        """Percent, or points."""
        return "%" if self.shows == "robust" else "points"

    def measure(self) -> Measured:
        """By attacking all three networks with equal effort."""
        from inexact.metrics import paired_difference, wilson

        flags = _withstood(self.network, self.data, json.dumps(self.rules), self.attacks, self.threat, self.epsilon, self.images, self.seed)
        shares = ", ".join(f"{100 * float(flag.mean()):.0f} % {name}" for name, flag in flags.items())
        detail = f"{self.threat.replace('_', ' ')}: {shares}; {self.network} on {self.data}"
        own = flags["approximate"]
        if self.shows == "robust":
            low, high = wilson(int(own.sum()), len(own))
            return Measured(value=100 * float(own.mean()), low=100 * low, high=100 * high, n=len(own), detail=detail)
        found = paired_difference(own, flags["exact" if self.shows == "gain" else "float32"])
        return Measured(value=100 * found.drop, low=100 * found.low, high=100 * found.high, n=found.n, detail=detail)


@functools.lru_cache(maxsize=8)
def _withstood(
    network: str, data: str, rules: str, attacks: tuple[str, ...], threat: str, epsilon: float, images: int, seed: int
) -> dict[str, Any]:
    """bool [images] by network."""
    from inexact import zoo
    from inexact.nn import approximate
    from inexact.security import adversarial

    measures = sorted({adversarial.attacks.get(spec).measure for spec in attacks})
    if len(measures) != 1:
        raise ClaimError(f"attacks must have one measure, not {' and '.join(measures)}")
    plan, model, seen = plan_of(json.loads(rules)), trained(network, data), zoo.data(data, "validation", CALIBRATION)
    found = adversarial.images_of(zoo.data(data, "test", images))
    exact, own = (approximate(model, one, calibrate=seen) for one in (adversarial.exact_plan(plan), plan))
    networks = adversarial.Networks(float32=model, exact=exact, approximate=own, scaling=found.scaling)
    strengths = {name: (epsilon,) if name == measures[0] else () for name in ("linf", "l2")}
    settings = adversarial.Settings(attacks=attacks, threats=(threat,), epsilons=strengths["linf"], epsilons_l2=strengths["l2"], seed=seed)
    cells = adversarial.Campaign(networks, found, settings).run()
    return dict(adversarial.withstanding(cells, settings, measures[0], epsilon))
