"""How far hot carriers have raised the threshold of n-channel transistors: a power of how often they have switched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import final

from inexact.core.errors import FaultError
from inexact.reliability._ageing import BOLTZMANN_EV, CHARGE_C, YEAR_S, constant, kelvin, require_age, require_conditions


@final
@dataclass(frozen=True, kw_only=True)
class HotCarriers:
    """Hot-carrier injection: carriers that the drain's field has made fast break bonds under the gate whenever a transistor switches.

    supply: V. activity: share of the clock's periods in which a transistor switches. clock: its period, ns. temperature: of the junction,
    C. scaled_to: V after ten years, None for the level of the constants (a 65 nm process), which is nothing to rely on: a tenth of a volt
    of supply changes it a thousandfold. The drift is a power of 0.45 of all switching so far.

    Reference: formula and constants as coded in OldSpot: A. Roelke, X. Guo, M. R. Stan, OldSpot: a pre-RTL model for fine-grained aging
    and lifetime optimization, ICCD 2018, pp. 148-151
    """

    supply: float = 1.1
    activity: float = 0.1
    clock: float = 1.0
    temperature: float = 105.0
    scaled_to: float | None = None

    def __post_init__(self) -> None:
        require_conditions(0.5, self.temperature)
        if not 0 < self.activity <= 1:
            raise FaultError(f"activity must be a share of the periods above 0 and at most 1, not {self.activity!r}")
        if not self.clock > 0:
            raise FaultError(f"a clock period must be above 0 ns, not {self.clock!r}")
        if not constant("hot_carriers", "threshold") < self.supply <= 5:
            raise FaultError(f"a supply must be above the threshold of {constant('hot_carriers', 'threshold')} V, not {self.supply!r} V")
        if self._field() <= 0:
            raise FaultError(f"at {self.supply!r} V transistors do not saturate, so no carrier is hot; the model needs more supply")
        if self.scaled_to is not None and not 0 <= self.scaled_to <= 0.5:
            raise FaultError(f"the drift after ten years must be 0..0.5 V, not {self.scaled_to!r}")

    def drift(self, years: float) -> float:
        """V; 0 for a fresh chip."""
        require_age(years)
        level = 1.0 if self.scaled_to is None else self.scaled_to / self._own(10)
        return self._own(years) * level

    def _own(self, years: float) -> float:
        value = partial(constant, "hot_carriers")
        overdrive, capacitance = self.supply - value("threshold"), value("capacitance")
        rate = CHARGE_C / capacitance * value("k") * math.sqrt(capacitance * overdrive)
        rate *= math.exp(overdrive / value("oxide") / value("field")) * math.exp(-value("barrier") / (value("path") * self._field()))
        switched = years * YEAR_S * self.activity / (self.clock * 1e-9)
        return float(rate * switched ** value("exponent"))

    def _field(self) -> float:
        """The largest field along the channel, V/nm."""
        value = partial(constant, "hot_carriers")
        drive = self.supply - value("threshold") + 2 * BOLTZMANN_EV * kelvin(self.temperature)
        critical = value("channel") * value("saturation")
        return (self.supply - drive * critical / (drive + value("bulk") * critical)) / value("drain")
