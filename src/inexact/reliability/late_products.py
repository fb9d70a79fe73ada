"""An array at a supply too low, or at an age too high, for its clock: products that their registers take too early."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import final

from torch import nn

from inexact.core.errors import FaultError, SpecError
from inexact.nn import ApproxLayer, ApproxModel
from inexact.reliability._base import ChipFault, Site, Stratum, as_layers, chosen_places, faults
from inexact.reliability._late_sums import LateSums, Tally, require_order, require_policy
from inexact.reliability._stage import LateRows, Stage, stage
from inexact.reliability._subject import Subject


@faults.register("late_products")
@final
@dataclass(frozen=True, kw_only=True)
class LateProducts(ChipFault):
    """Multipliers whose supply is too low for the clock: what their registers take is simulated for every transition of operands.

    voltage: of the array, V; delays follow the alpha-power law of `node`. policy: "none" (registers keep what they took), "te_drop"
    (a late product is corrected, the next one of its sum left out) or "boost" (no error, more energy). order: "weight_stationary" or
    "output_stationary" (small layers only). array_rows: rows of the array, at whose end no product follows. margin: share of the cycle
    left unused at nominal voltage. drift: V by which the threshold has risen with age. There is one site: all chips are alike.

    The clock is that of the stage that forms products, registers around; sums are added in a stage of their own, which is taken to be in
    time. Each transition starts from the settled state of the one before. Error against the right product: either sign.

    Reference: J. Zhang, K. Rangineni, Z. Ghodsi, S. Garg, ThUnderVolt: Enabling Aggressive Voltage Underscaling and Timing Error
    Resilience for Energy Efficient Deep Neural Network Accelerators, DAC 2018, arXiv:1802.03806
    """

    voltage: float = field(default=0.9, metadata={"written": True})
    policy: str = "none"
    order: str = "weight_stationary"
    array_rows: int = 16
    margin: float = 0.0
    drift: float = 0.0
    node: str = "45nm"
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", as_layers(self.layers))
        require_policy(self.policy)
        require_order(self.order)
        if not isinstance(self.array_rows, int) or self.array_rows < 1:
            raise SpecError(f"array_rows must be a whole number from 1 on, not {self.array_rows!r}")
        if not self.drift >= 0:
            raise SpecError(f"drift must be 0 V or more: thresholds rise with age, not {self.drift!r}")

    def strata(self, subject: Subject) -> Iterator[Stratum]:
        """The array."""
        if self._factors(subject):
            yield Stratum(layer="", tensor="product", bit=None, size=1)

    def site(self, subject: Subject, stratum: Stratum, number: int) -> Site:
        """index: none."""
        return Site(layer="", tensor="product", index=(), bit=None, kind="previous_value", persistence=self.persistence)

    def faulty(self, subject: Subject, site: Site) -> nn.Module:
        """The network on that array."""
        return with_late_products(
            subject.net,
            self._factors(subject),
            policy=self.policy,
            order=self.order,
            array_rows=self.array_rows,
            margin=self.margin,
            node=self.node,
        ).net

    def _factors(self, subject: Subject) -> dict[str, float]:
        places = [place for place in chosen_places(subject, self.layers) if isinstance(place.layer, ApproxLayer)]
        return {
            place.name: stage(place.layer.rule.unit.spec, margin=self.margin, node=self.node).slowdown(self.voltage, self.drift)
            for place in places
        }


@lru_cache(maxsize=16)
def late_rows(spec: str, margin: float, node: str) -> LateRows:
    """What was simulated of a unit so far; kept for as long as the process runs."""
    return LateRows(stage(spec, margin=margin, node=node))


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Late:
    """A network with late products, and by layer how many there were in all images it has seen."""

    net: ApproxModel
    tallies: dict[str, Tally]

    @property
    def total(self) -> Tally:
        """Of all layers."""
        found = self.tallies.values()
        return Tally(*(sum(getattr(tally, name) for tally in found) for name in ("products", "late", "dropped")))


def with_late_products(
    net: ApproxModel,
    factors: Mapping[str, float],
    *,
    policy: str = "none",
    order: str = "weight_stationary",
    array_rows: int = 16,
    margin: float = 0.0,
    node: str = "45nm",
) -> Late:
    """The network whose layers in `factors` run on an array that many times as slow as at nominal voltage, at the nominal clock.

    Raises FaultError for policies and orders that are not known, units without a netlist, and layers as `LateSums` does.
    """
    found = copy.deepcopy(net)
    layers = found.layers()
    tallies = {}
    for name, factor in factors.items():
        layer = layers[name]
        if not isinstance(layer, ApproxLayer):
            raise FaultError(f"timing errors are for Conv2d and Linear layers, not for layer {name}: leave it out")
        rows = late_rows(layer.rule.unit.spec, margin, node)
        edge = rows.stage.edge_ns(factor)
        sums = LateSums(layer, rows, edge, policy=policy, order=order, array_rows=array_rows)
        layer.disturbance, tallies[name] = sums, sums.tally
    return Late(net=found, tallies=tallies)


def stages(net: ApproxModel, *, margin: float = 0.0, node: str = "45nm") -> dict[str, Stage]:
    """The stage of every layer with weights. FaultError as `stage`."""
    layers = net.layers().items()
    return {name: stage(layer.rule.unit.spec, margin=margin, node=node) for name, layer in layers if isinstance(layer, ApproxLayer)}
