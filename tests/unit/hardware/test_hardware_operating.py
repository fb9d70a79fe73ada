from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest

from inexact import hardware
from inexact.core.errors import HardwareError
from inexact.core.workload import Arithmetic, Workload
from inexact.hardware._rates import slowdown, voltage_for


def with_multiplier(network: Workload, spec: str | None) -> Workload:
    arithmetic = Arithmetic(multiplier=spec, coding="signed")
    return dataclasses.replace(network, layers=tuple(dataclasses.replace(layer, arithmetic=arithmetic) for layer in network.layers))


def test_delay_follows_the_alpha_power_law(reference_data: Path) -> None:
    node = hardware.load("edge-tpu-like").technology
    assert node["nominal_voltage"].value == 0.9
    with (reference_data / "accel" / "delay_vs_vdd.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(line for line in handle if not line.startswith("#")))
    for row in rows:
        volts = float(row["vdd_V"])
        if volts > node["threshold_voltage"].value + 0.1:
            assert slowdown(node, volts) == pytest.approx(float(row["delay_Vth0.3_a1.3"]), rel=2e-3)
    assert voltage_for(node, 1.0) == 0.9
    assert slowdown(node, voltage_for(node, 1.5)) == pytest.approx(1.5)
    with pytest.raises(HardwareError, match=r"a voltage must be above 0\.4 V \(threshold of 0\.3 V and 0\.1 V\), not 0\.35"):
        slowdown(node, 0.35)


def test_a_shorter_path_buys_speed_or_voltage(edge: hardware.Accelerator, network: Workload) -> None:
    exact = hardware.baseline(network)
    spec = "trunc(cut=6,signed=true)"
    points = hardware.operating_points(edge, with_multiplier(network, spec), exact)
    assert list(points) == ["nominal", "speed", "voltage"]
    shorter = hardware.element_cost("exact(signed=true)").delay / hardware.element_cost(spec).delay
    assert shorter > 1
    nominal, speed, voltage = (points[name] for name in points)
    assert speed.clock_mhz == pytest.approx(400 * shorter)
    assert speed.cost.latency_ms.value < nominal.cost.latency_ms.value
    assert voltage.clock_mhz == 400
    assert slowdown(edge.technology, voltage.voltage_v) == pytest.approx(shorter)
    ratio = (voltage.voltage_v / 1.1) ** 2
    before, after = nominal.cost.energy_pj.by_component, voltage.cost.energy_pj.by_component
    for name in ("multipliers", "adders", "registers"):
        assert after[name].value == pytest.approx(before[name].value * ratio)
    assert after["dram"].value == before["dram"].value
    assert after["activation_buffer"].value == before["activation_buffer"].value
    assert voltage.cost.cycles.value == nominal.cost.cycles.value


def test_a_slower_design_has_its_nominal_point_only(edge: hardware.Accelerator, network: Workload) -> None:
    assert list(hardware.operating_points(edge, hardware.baseline(network), with_multiplier(network, "trunc(cut=6,signed=true)"))) == [
        "nominal"
    ]
    assert list(hardware.operating_points(edge, with_multiplier(network, None), hardware.baseline(network))) == [
        "nominal"
    ]  # float32: no elements
    with pytest.raises(HardwareError, match="the path of the bit-serial elements of stripes-like is not synthesised"):
        hardware.operating_points(hardware.load("stripes-like"), hardware.baseline(network), hardware.baseline(network))


def test_a_clock_or_voltage_the_exact_elements_miss_is_refused(edge: hardware.Accelerator) -> None:
    assert edge.at(clock_mhz=500).period_ns == 2
    with pytest.raises(HardwareError, match=r"array\.clock_mhz of edge-16x16 must be at most \d+ MHz .*not 900; lower it"):
        edge.at(clock_mhz=900)
    with pytest.raises(HardwareError, match=r"array\.clock_mhz of edge-16x16 must be at most \d+ MHz"):
        edge.at(voltage_v=0.6)


def test_embodied_carbon_needs_a_node_with_a_source(edge: hardware.Accelerator, network: Workload) -> None:
    cost = hardware.load("edge-tpu-like").evaluate(network)
    found = hardware.embodied_carbon(cost, intensity=500)
    assert found.unit == "g CO2e"
    assert found.value == pytest.approx(cost.area_um2.total.value * 1e-8 * (500 * 0.9 + 175 + 500) / 0.875)
    with pytest.raises(HardwareError, match="embodied carbon has a source for 28 nm only, not for 45 nm"):
        hardware.embodied_carbon(edge.evaluate(network), intensity=500)
    with pytest.raises(HardwareError, match="intensity must be at least 0"):
        hardware.embodied_carbon(cost, intensity=-1)


def test_modes_of_one_circuit_are_one_unit(edge: hardware.Accelerator, network: Workload) -> None:
    modes = [Arithmetic(multiplier=f"lvrm(mode={mode})", coding="unsigned") for mode in (0, 1, 2)]
    layers = tuple(dataclasses.replace(layer, arithmetic=modes[place % 3]) for place, layer in enumerate(network.layers))
    mixed = edge.evaluate(dataclasses.replace(network, layers=layers))
    whole = hardware.element_cost("lvrm(mode=0)")
    assert mixed.area_um2.by_component["multipliers"].value == pytest.approx(256 * whole.multiplier.area)
    assert mixed.energy_pj.by_component["unit_selection"].value == 0
    assert 0 < mixed.area_um2.by_component["unit_selection"].value < 0.1 * mixed.area_um2.by_component["multipliers"].value


def test_operands_of_a_layer_are_measured_on_the_netlist(edge: hardware.Accelerator, network: Workload) -> None:
    pytest.importorskip("pyosys")
    quiet = (1.0, *(0.0,) * 255)
    busy = (0.5, *(0.0,) * 254, 0.5)
    layer = network.layers[0]

    def energy(a: tuple[float, ...], b: tuple[float, ...]) -> float:
        met = dataclasses.replace(layer, a_histogram=a, b_histogram=b)
        return edge.evaluate(Workload(network="one", layers=(met,))).energy_pj.by_component["multipliers"].value

    plain = edge.evaluate(Workload(network="one", layers=(layer,))).energy_pj.by_component["multipliers"].value
    assert energy(quiet, quiet) == 0
    assert energy(busy, busy) > plain
