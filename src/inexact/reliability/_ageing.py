"""How far the threshold of transistors has risen with age: a power of time, and the long-term model of reaction and diffusion."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib import resources
from typing import Any, Protocol, final

from inexact.core.errors import FaultError

BOLTZMANN_EV = 8.617333262e-5
CHARGE_C = 1.602176634e-19
VACUUM_F_PER_NM = 8.8541878128e-21
YEAR_S = 365.25 * 86400
COLDEST, HOTTEST = -55.0, 175.0
"""Junction temperatures the models are taken to hold at, degrees Celsius."""


class Ageing(Protocol):
    """A model of ageing."""

    def drift(self, years: float) -> float:
        """V by which the threshold has risen after so many years of use. FaultError for a negative age."""


@lru_cache(maxsize=1)
def _constants() -> dict[str, dict[str, Any]]:
    return tomllib.loads((resources.files("inexact.reliability") / "ageing.toml").read_text(encoding="utf-8"))


def constant(model: str, name: str) -> float:
    """A constant of a model, as shipped with its source."""
    return float(_constants()[model][name]["value"])


@final
@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """`ten_years` V after ten years at `duty` 0.5 and 105 C; a power of stress time, hotter is faster.

    The level depends so much on technology that it is an input; its default is recalled from the literature and not checked. duty: share
    of the time that a transistor is under stress. temperature: of the junction, C.

    Reference: JEDEC JEP122H, Failure mechanisms and models for semiconductor devices, equation 5.3.1
    """

    ten_years: float = field(default_factory=lambda: constant("power_law", "ten_years"))
    exponent: float = field(default_factory=lambda: constant("power_law", "exponent"))
    duty: float = 0.5
    temperature: float = 105.0

    def __post_init__(self) -> None:
        require_conditions(self.duty, self.temperature)
        if not 0 <= self.ten_years <= 0.5:
            raise FaultError(f"the drift after ten years must be 0..0.5 V, not {self.ten_years!r}")
        if not 0 < self.exponent <= 1:
            raise FaultError(f"the exponent of time must be above 0 and at most 1, not {self.exponent!r}")

    def drift(self, years: float) -> float:
        """V; 0 for a fresh chip."""
        require_age(years)
        stress = years / 10 * self.duty / constant("power_law", "reference_duty")
        return float(self.ten_years * stress**self.exponent * self._acceleration())

    def _acceleration(self) -> float:
        energy = constant("power_law", "activation") / BOLTZMANN_EV
        return math.exp(energy * (1 / kelvin(constant("power_law", "reference_temperature")) - 1 / kelvin(self.temperature)))


@final
@dataclass(frozen=True, kw_only=True)
class LongTerm:
    """The long-term NBTI model of reaction and diffusion, from oxide and field.

    supply, threshold: V. oxide: its thickness, nm. clock: period of stress and recovery, ns. Its level depends strongly on oxide and
    field; its shape over time, duty and temperature is what it is good for (`scaled_to` gives that shape a level).

    Reference: S. Bhardwaj, W. Wang, R. Vattikonda, Y. Cao, S. Vrudhula, Predictive modeling of the NBTI effect for reliable design,
    CICC 2006, doi:10.1109/CICC.2006.320885
    """

    supply: float = 1.1
    threshold: float = 0.3
    oxide: float = 1.2
    duty: float = 0.5
    temperature: float = 105.0
    clock: float = 1.0
    scaled_to: float | None = None

    def __post_init__(self) -> None:
        require_conditions(self.duty, self.temperature)
        if not self.supply > self.threshold > 0:
            raise FaultError(f"a supply must be above the threshold and both above 0 V, not {self.supply!r} and {self.threshold!r}")
        if not 0.5 <= self.oxide <= 10:
            raise FaultError(f"an oxide must be 0.5..10 nm thick, not {self.oxide!r}")
        if not self.clock > 0:
            raise FaultError(f"a clock period must be above 0 ns, not {self.clock!r}")
        if self.scaled_to is not None and not 0 <= self.scaled_to <= 0.5:
            raise FaultError(f"the drift after ten years must be 0..0.5 V, not {self.scaled_to!r}")

    def drift(self, years: float) -> float:
        """V; 0 for a fresh chip."""
        require_age(years)
        if years == 0:
            return 0.0
        level = 1.0 if self.scaled_to is None else self.scaled_to / self._own(10)
        return self._own(years) * level

    def _own(self, years: float) -> float:
        value = partial(constant, "long_term")
        permittivity = value("permittivity") * VACUUM_F_PER_NM
        overdrive, n, period = self.supply - self.threshold, value("exponent"), self.clock * 1e-9
        diffusion = math.exp(-value("activation") / (BOLTZMANN_EV * kelvin(self.temperature))) / value("t0")
        rate = (CHARGE_C * self.oxide / permittivity) ** 3 * value("k") ** 2 * permittivity / self.oxide * overdrive
        rate *= math.sqrt(diffusion) * math.exp(2 * overdrive / self.oxide / value("field"))  # Kv^2
        recovered = 2 * value("xi1") * self.oxide + math.sqrt(value("xi2") * diffusion * (1 - self.duty) * period)
        kept = 1 - recovered / (2 * self.oxide + math.sqrt(diffusion * years * YEAR_S))
        return float((math.sqrt(rate**2 * self.duty * period) / (1 - kept ** (1 / (2 * n)))) ** (2 * n))


def kelvin(celsius: float) -> float:
    """K of a temperature in degrees Celsius."""
    return celsius + 273.15


def require_age(years: float) -> None:
    """Raise FaultError unless 0 <= years <= 100."""
    if not 0 <= years <= 100:
        raise FaultError(f"an age must be 0..100 years, not {years!r}")


def require_conditions(duty: float, temperature: float) -> None:
    """Raise FaultError for a share of the time, or a temperature, that no chip works at."""
    if not 0 < duty <= 1:
        raise FaultError(f"duty must be a share of the time above 0 and at most 1, not {duty!r}")
    if not COLDEST <= temperature <= HOTTEST:
        raise FaultError(f"a temperature must be {COLDEST:g}..{HOTTEST:g} C, where chips work, not {temperature!r}")
