from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from inexact import hardware
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware._pe import ElementCost, Part, element_cost

SIGNED = Arithmetic(coding="signed")


@pytest.fixture(scope="session")
def edge() -> hardware.Accelerator:
    return hardware.load("edge-16x16")


@pytest.fixture(scope="session")
def conv() -> Callable[..., LayerWorkload]:
    """conv("name", in_channels, out_channels, size, kernel=3, stride=1, groups=1, arithmetic=signed exact): "same" padding."""

    def make(
        name: str, c: int, o: int, size: int, kernel: int = 3, stride: int = 1, groups: int = 1, arithmetic: Arithmetic = SIGNED
    ) -> LayerWorkload:
        loops = {"kernel": kernel, "stride": stride, "groups": groups}
        return LayerWorkload.square(name, size, in_channels=c, out_channels=o, arithmetic=arithmetic, **loops)

    return make


@pytest.fixture(scope="session")
def network(conv: Callable[..., LayerWorkload]) -> Workload:
    """A small residual network on 28x28 images with a depthwise and a linear layer; exact, signed."""
    layers = (
        conv("stem", 1, 16, 28),
        conv("a", 16, 16, 28),
        conv("b", 16, 32, 28, stride=2),
        conv("depthwise", 32, 32, 14, groups=32),
        conv("pointwise", 32, 64, 14, kernel=1),
        LayerWorkload(name="fc", kind="linear", in_channels=64, out_channels=10, arithmetic=SIGNED),
    )
    return Workload(network="small", layers=layers)


FAKES = {"half": (0.5, 0.25, 0.5), "free": (0.0, 0.0, 0.0), "slow": (1.0, 1.0, 3.0)}
"""Name -> energy, area and delay over the exact signed element's."""


@pytest.fixture
def fake_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multipliers of known cost relative to the exact signed one: "half" (energy 0.5, uncertain 0.4..0.6; area 0.25), "free", "slow"."""

    def fake(spec: str, *, signs: bool = False, regime: str = "network") -> ElementCost:
        if spec not in FAKES:
            return element_cost(spec, signs=signs, regime=regime)
        exact = element_cost("exact(signed=true)", regime=regime)
        energy, area, delay = FAKES[spec]
        block = exact.multiplier
        return dataclasses.replace(
            exact,
            multiplier=Part(energy=block.energy * energy, area=block.area * area, leakage=block.leakage * area),
            delay=exact.delay * delay,
            model=(0.8 * energy * block.energy, 1.2 * energy * block.energy),
            source="fake model",
            verified=False,
        )

    for module in ("_layer", "_silicon"):
        monkeypatch.setattr(f"inexact.hardware.{module}.element_cost", fake)
    monkeypatch.setattr("inexact.hardware._silicon.circuit_of_modes", lambda spec: spec)
    monkeypatch.setattr("inexact.hardware._silicon.mode_switches", lambda _spec: 0.0)
