"""The shipped constants against the published tables they cite, and the preset's MAC share against published accelerators."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from inexact import hardware
from inexact.core.workload import LayerWorkload, Workload


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(line for line in handle if not line.startswith("#")))


def component(rows: list[dict[str, str]], name: str, params: str, action: str) -> dict[str, float]:
    row = next(r for r in rows if (r["component"], r["params"], r["tech_nm"], r["action"]) == (name, params, "45", action))
    return {key: float(row[key]) for key in ("energy_pJ", "latency_ns", "area_um2", "leak_uW")}


def test_arithmetic_constants_are_the_published_rows(reference_data: Path) -> None:
    rows = rows_of(reference_data / "accel" / "component_energy.csv")
    constants = hardware.load("edge-16x16").technology
    for block, params, action in (("multiplier", "8x8", "multiply"), ("adder", "32b", "add")):
        row = component(rows, block, params, action)
        assert constants[f"{block}_energy"].value == row["energy_pJ"]
        assert constants[f"{block}_area"].value == row["area_um2"]
        assert constants[f"{block}_delay"].value == row["latency_ns"]
        assert constants[f"{block}_leakage"].value == row["leak_uW"]
    read, write = (component(rows, "register", "32b", action)["energy_pJ"] for action in ("read", "write"))
    assert constants["register_energy"].value == pytest.approx(read + write)
    assert constants["register_energy"].low == write


def test_memory_table_is_the_published_one(reference_data: Path) -> None:
    rows = rows_of(reference_data / "accel" / "component_energy.csv")
    technology = hardware.load("edge-16x16").technology
    for size in technology.sram["kib"]:
        memory, params = technology.memory(size), f"{size:g}KB x64b"
        read, write = component(rows, "sram", params, "read"), component(rows, "sram", params, "write")
        assert memory.read[0] * 64 == pytest.approx(read["energy_pJ"])
        assert memory.write[0] * 64 == pytest.approx(write["energy_pJ"])
        assert (memory.area_um2, memory.leakage_uw) == pytest.approx((read["area_um2"], read["leak_uW"]))
        assert memory.latency_ns == pytest.approx(read["latency_ns"])


def test_the_other_end_of_each_spread_is_published(reference_data: Path) -> None:
    rows = rows_of(reference_data / "accel" / "energy_per_op_published.csv")
    published = {(row["source"], row["item"]): float(row["energy"]) for row in rows}
    constants = hardware.load("edge-16x16").technology
    int8, int32 = published["H", "int8 multiply"], published["H", "int32 add"]
    multiply, add = constants["multiplier_energy"], constants["adder_energy"]
    assert (multiply.low, add.low) == (int8, int32)
    assert constants["float_multiply_energy"].value == published["H", "fp32 multiply"]
    assert constants["float_multiply_energy"].high == pytest.approx(published["H", "fp32 multiply"] / int8 * multiply.value)
    assert constants["float_add_energy"].value == published["H", "fp32 add"]
    assert constants["float_add_energy"].high == pytest.approx(published["H", "fp32 add"] / int32 * add.value)
    assert constants["requantise_energy"].value == published["H", "int32 multiply"]
    assert constants["requantise_energy"].high == pytest.approx(16 * multiply.value)
    assert constants["cache_energy"].value == published["H", "8 kB cache, 64-bit access"]
    assert constants["sram_spread"].high == pytest.approx(10 / 6.137, rel=1e-5)
    assert constants["dram_energy"].low == published["T", "DRAM read or write"]
    assert constants["dram_energy"].high == 460 / 16


def test_the_exact_multiplier_of_the_circuit_library(reference_data: Path) -> None:
    rows = rows_of(reference_data / "evoapproxlib_master_8x8.csv")
    exact = next(row for row in rows if "mul8u_1JFF" in row.values())
    constants = hardware.load("edge-16x16").technology
    assert str(constants["multiplier_area"].high) in exact.values()
    assert str(constants["multiplier_delay"].high) in exact.values()


def test_mac_share_lies_among_published_accelerators(reference_data: Path) -> None:
    rows = rows_of(reference_data / "accel" / "mac_energy_share.csv")
    with_dram = [float(row["mac_share"].split()[0]) for row in rows]
    on_chip = [float(row["mac_share_without_dram"].split()[0]) for row in rows]
    layer = LayerWorkload.square("conv2", 56, in_channels=64, out_channels=64, kernel=3)
    machine, alone = hardware.load("edge-16x16"), Workload(network="ResNet-18 conv2", layers=(layer,))
    share = machine.evaluate(hardware.leanest_baseline(machine, alone)).mac_share
    assert min(with_dram) < share["with_dram"].value / 100 < max(with_dram)
    assert min(on_chip) < share["on_chip"].value / 100 < max(on_chip)
