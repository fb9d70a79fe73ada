"""Elements that split: products at once, their energy, and voltage and clock at the throughput of the whole."""

from __future__ import annotations

import dataclasses

import pytest

from inexact import hardware
from inexact.core.errors import HardwareError, InexactError
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware._pe import element_cost
from inexact.hardware._subword import overheads


def layer(a_bits: int, b_bits: int, coding: str = "unsigned", **more: object) -> LayerWorkload:
    held = Arithmetic(a_bits=a_bits, b_bits=b_bits, coding=coding)
    shape = LayerWorkload(name="l", kind="linear", in_channels=256, out_channels=64, out_h=128, in_h=128, arithmetic=held)
    return dataclasses.replace(shape, **more)  # type: ignore[arg-type]


def network(found: LayerWorkload) -> Workload:
    return Workload(network="n", layers=(found,))


@pytest.mark.parametrize(
    ("a_bits", "b_bits", "coding", "lanes"),
    [
        *((16, 16, "unsigned", 1), (9, 4, "unsigned", 1), (8, 8, "unsigned", 2), (8, 9, "sign_magnitude", 2), (5, 3, "unsigned", 2)),
        *((4, 4, "unsigned", 4), (4, 5, "sign_magnitude", 4), (2, 2, "unsigned", 4)),
    ],
)
def test_products_at_once(a_bits: int, b_bits: int, coding: str, lanes: int) -> None:
    assert hardware.load("dvafs-like").pace(layer(a_bits, b_bits, coding)) == (1, lanes)


@pytest.mark.parametrize(("bits", "lanes"), [(16, 1), (8, 2), (4, 4)])
def test_energy_area_and_time(bits: int, lanes: int) -> None:
    machine = dataclasses.replace(hardware.load("dvafs-like"), dataflows=("output_stationary",))
    unit = element_cost(f"exact(width={bits})", regime="network")
    found = machine.layer(layer(bits, bits))
    assert found.energy["multipliers"][0] == pytest.approx(128 * 256 * 64 * unit.multiplier.energy * overheads()[f"energy_{lanes}"])
    assert found.energy["adders"][0] == pytest.approx(128 * 256 * 64 * unit.adder.energy)
    assert found.mapping is not None
    assert found.mapping.cycles == pytest.approx((256 / lanes + 16 + 8 - 2) * 8 * 8, rel=0.3)
    area = machine.evaluate(network(layer(bits, bits))).area["multipliers"][0]
    whole = element_cost("exact(width=16)").multiplier.area
    assert area == pytest.approx(16 * 8 * whole * overheads()["area"])  # in every mode


def test_voltage_falls_at_constant_throughput() -> None:
    machine = dataclasses.replace(hardware.load("dvafs-like"), dataflows=("output_stationary",))
    narrow, wide = network(layer(4, 4)), network(layer(16, 16))
    points = hardware.operating_points(machine, narrow, wide)
    assert points["voltage"].clock_mhz == 100
    assert points["voltage"].voltage_v < 0.8 * points["nominal"].voltage_v
    assert points["voltage"].cost.energy_pj.total.value < points["nominal"].cost.energy_pj.total.value
    ratio = (points["voltage"].voltage_v / points["nominal"].voltage_v) ** 2
    energies = [points[name].cost.components["multipliers"][0] for name in ("voltage", "nominal")]
    assert energies[0] == pytest.approx(energies[1] * ratio)
    assert points["voltage"].cost.period_ns == pytest.approx(10)  # the clock is met at the lower voltage
    latency = points["voltage"].cost.latency_ms.value / machine.evaluate(wide).latency_ms.value
    assert latency == pytest.approx(1, rel=0.25)
    assert points["speed"].clock_mhz > 400
    same = hardware.operating_points(machine, wide, wide)
    assert list(same) == ["nominal"]
    mixed = Workload(network="n", layers=(layer(4, 4), layer(8, 8, name="m")))
    assert hardware.operating_points(machine, mixed, wide)["voltage"].clock_mhz == 200  # by the layer with fewest products at once


def test_what_does_not_fit_is_refused() -> None:
    machine = hardware.load("dvafs-like")
    with pytest.raises(HardwareError, match="split arrays of unsigned operands, which the two's complement of layer 'l' is not"):
        machine.layer(layer(8, 8, "signed"))
    with pytest.raises(HardwareError, match="subword processing elements of dvafs-like have no place for trunc"):
        machine.layer(dataclasses.replace(layer(8, 8), arithmetic=Arithmetic(multiplier="trunc(cut=4)")))
    counted = layer(8, 8, a_histogram=(1 / 256,) * 256, b_histogram=(1 / 256,) * 256)
    for name in ("dvafs-like", "drq-like"):
        with pytest.raises(HardwareError, match=r"multiply operands in parts, which the measured ones of layer 'l' are not"):
            hardware.load(name).layer(counted)
    assert {point.arithmetic.coding for point in hardware.leanest_baseline(machine, network(layer(8, 8))).layers} <= {
        "unsigned",
        "sign_magnitude",
    }


@pytest.mark.slow
def test_the_overheads_are_those_of_synthesis() -> None:
    from inexact import units
    from inexact.circuits.subword import subword_multiplier
    from inexact.circuits.synthesis import Operands, Setup, synthesise

    plain = units.get("exact(width=8)").circuit()
    assert plain is not None
    try:
        (own,) = synthesise([subword_multiplier()], Setup(operands=Operands(name="mode 2", weights=(None, None, (0.0, 1.0, 0.0, 0.0)))))
        (reference,) = synthesise([plain])
    except InexactError:
        pytest.skip("Yosys is not installed")
    assert own.energy.value / (2 * reference.energy.value) == pytest.approx(overheads()["energy_2"], abs=2e-4)
