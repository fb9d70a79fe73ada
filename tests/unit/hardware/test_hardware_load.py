from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from inexact import hardware
from inexact.core.errors import HardwareError
from inexact.core.workload import Workload

PRESET = hardware.presets()["edge-16x16"].read_text()
TECHNOLOGY = (hardware.presets()["edge-16x16"].parent.parent / "technology" / "45nm.toml").read_text()


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def changed(old: str, new: str, text: str = PRESET) -> str:
    assert text.count(old) == 1, f"{old!r} must occur once"
    return text.replace(old, new)


def test_every_preset_loads_and_names_itself() -> None:
    assert "edge-16x16" in hardware.presets()
    for name in hardware.presets():
        assert hardware.load(name).name == name


def test_every_constant_has_unit_and_source() -> None:
    machine = hardware.load("edge-16x16")
    constants = machine.constants()
    assert len(constants) > 25
    for estimate in constants.values():
        assert estimate.unit
        assert len(estimate.source) > 10
        if estimate.spread is not None:
            assert estimate.spread[0] <= estimate.value <= estimate.spread[1]


def test_a_file_with_plain_numbers_says_where_they_are_declared(tmp_path: Path) -> None:
    line = next(line for line in PRESET.splitlines() if line.startswith("rows"))
    machine = hardware.load(write(tmp_path, changed(line, "rows = 8")))
    assert machine.rows == 8
    assert machine.numbers["array.rows"].source == "declared in mine.toml"


def test_a_technology_file_is_found_beside_the_accelerator(tmp_path: Path) -> None:
    write(tmp_path, changed("value = 0.91199", "value = 0.5", TECHNOLOGY), "other.toml")
    machine = hardware.load(write(tmp_path, changed('technology = "45nm"', 'technology = "other.toml"')))
    assert machine.technology["multiplier_energy"].value == 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rows = { value = 16", "rows = { value = -16", r"array\.rows in mine\.toml must be a positive number of PE, not -16"),
        ("rows = { value = 16", "rows = { value = 0", r"array\.rows in mine\.toml must be a positive number of PE, not 0"),
        ("rows = { value = 16", "rows = { value = 1.5", r"array\.rows in mine\.toml must be a whole number, not 1\.5"),
        ("rows = { value = 16", "rows = { value = 'many'", r"array\.rows in mine\.toml must be a positive number of PE, not 'many'"),
        ("rows = { value", "row = { value", r"unknown entry 'array\.row'; did you mean 'rows'\?"),
        ("[float_unit]", "[float_units]", r"unknown entry 'float_units'; did you mean 'float_unit'\?"),
        ('"weight_stationary", "output_stationary"', '"weight_stationery"', r"not 'weight_stationery'; did you mean 'weight_stationary'"),
        ('["weight_stationary", "output_stationary"]', "[]", r"dataflows in mine\.toml must be one of .* or a list of them, not \[\]"),
        ('technology = "45nm"', 'technology = "46nm"', r"no technology is called '46nm'; did you mean .*'45nm'"),
        ("value = 400", "value = 600", r"array\.clock_mhz of edge-16x16 must be at most 577 MHz .*not 600; lower it"),
        (
            "kib = { value = 32",
            "kib = { value = 0.1",
            r"memories\.accumulator of edge-16x16: a buffer must hold 0\.5\.\.1024 KiB .*not 0\.1",
        ),
        ("kib = { value = 32", "kibb = { value = 32", r"unknown entry 'memories\.accumulator\.kibb'; did you mean 'kib'"),
        (
            'holds = ["sums"]',
            'holds = ["sum"]',
            r"memories\.accumulator\.holds in mine\.toml must list some of inputs, weights, sums, outputs",
        ),
        ('holds = ["sums"]', 'holds = ["weights"]', r"weights must have one home, but several memories"),
        ('holds = ["inputs", "outputs"]', 'holds = ["inputs"]', r"some memory in mine\.toml must hold outputs: only weights may come"),
        (
            'style = "parallel"',
            'style = "paralel"',
            r"pe\.style in mine\.toml must be one of parallel, .*not 'paralel'; did you mean 'parallel'",
        ),
        ('multiplier = "exact"', 'multiplier = "exakt"', r"pe\.multiplier in mine\.toml must be a unit: .*exact"),
        ('mapping = "energy"', 'mapping = "speed"', r"mapping in mine\.toml must be one of energy, latency, edp, not 'speed'"),
        ('["weight_stationary", "output_stationary"]', '["row_stationary"]', r"row_stationary in mine\.toml needs scratchpads"),
        ('unit = "MHz", source', 'unit = "MHz", sauce', r"array\.clock_mhz in mine\.toml has an unknown entry 'sauce'"),
        ('"MHz"', '"GHz"', r"array\.clock_mhz in mine\.toml must be given in MHz, not 'GHz'"),
        (
            'name = "edge-16x16"',
            "[accelerator]",
            r"unknown entry 'accelerator'; begin with what inexact accelerator show edge-16x16 --toml prints",
        ),
        ('name = "edge-16x16"', "", r"mine\.toml must give name; the preset edge-16x16 shows every entry"),
        ('name = "edge-16x16"', "name =", r"accelerator .*mine\.toml must be TOML: "),
    ],
)
def test_a_bad_description_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        hardware.load(write(tmp_path, changed(old, new)))


def test_a_missing_entry_is_named(tmp_path: Path) -> None:
    line = next(line for line in PRESET.splitlines() if line.startswith("bandwidth"))
    with pytest.raises(HardwareError, match=r"mine\.toml must give dram\.bandwidth_gb_s in GB/s"):
        hardware.load(write(tmp_path, changed(line, "")))


def test_a_section_that_is_no_table_is_refused(tmp_path: Path) -> None:
    start = PRESET.index("[dram]")
    with pytest.raises(HardwareError, match=r"dram in mine\.toml must be a table with bandwidth_gb_s, energy_pj_bit, not 5"):
        hardware.load(write(tmp_path, "dram = 5\n" + PRESET[:start] + PRESET[PRESET.index("[postprocess]") :]))


def test_a_buffer_smaller_than_one_tile_is_refused(tmp_path: Path) -> None:
    text = PRESET.replace("rows = { value = 16", "rows = { value = 64").replace("columns = { value = 16", "columns = { value = 64")
    start = text.index("[memories.weight]")
    text = text[:start] + text[start:].replace("kib = { value = 108", "kib = { value = 4", 1)
    with pytest.raises(HardwareError, match=r"memories\.weight of edge-16x16 must hold one 64x64 tile twice \(8 KiB\), not 4 KiB"):
        hardware.load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value = 8.0\n", "value = -8.0\n", r"dram_energy in other\.toml must be a table with value > 0, unit and source"),
        ("high = 28.75", "high = 1.0", r"dram_energy in other\.toml must satisfy 0 < low <= value <= high, not low=7\.03"),
        ("[mux_ratio]", "[mux_ration]", r"other\.toml has an unknown entry 'mux_ration'; did you mean 'mux_ratio' or"),
        ("kib = [0.5, 2,", "kib = [2, 0.5,", r"sram\.kib in other\.toml must hold at least two sizes in rising order"),
        ("kib = [0.5, 2,", "kib = [2,", r"sram in other\.toml must give equally long lists of positive numbers for kib, read_pj"),
        ('node = "45 nm"', "", r"other\.toml must give node; see the 45nm table for units"),
    ],
)
def test_a_bad_technology_table_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    write(tmp_path, changed(old, new, TECHNOLOGY), "other.toml")
    with pytest.raises(HardwareError, match=message):
        hardware.load(write(tmp_path, changed('technology = "45nm"', 'technology = "other.toml"')))


def test_a_description_of_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("arch: 1")
    with pytest.raises(
        HardwareError, match=r"described in a \.toml file, which .*mine\.yaml is not; begin with what inexact accelerator show"
    ):
        hardware.load(tmp_path / "mine.yaml")


def test_an_unknown_accelerator_suggests_near_names() -> None:
    with pytest.raises(HardwareError, match=r"no accelerator is called 'edge-16x61'; did you mean 'edge-16x16'\?"):
        hardware.load("edge-16x61")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(HardwareError, match=r"accelerator nowhere\.toml must be a readable file: No such file"):
        hardware.load("nowhere.toml")


def test_memories_are_interpolated_between_rows_of_the_table() -> None:
    technology = hardware.load("edge-16x16").technology
    row, between, above = technology.memory(8), technology.memory(16), technology.memory(32)
    assert row.read[0] * 64 == pytest.approx(6.137)
    assert row.area_um2 == pytest.approx(26267)
    # 16 is the geometric middle of 8 and 32.
    assert between.read[0] == pytest.approx((row.read[0] * above.read[0]) ** 0.5)
    assert technology.memory(1024).leakage_uw == pytest.approx(24.96)


def test_an_accelerator_travels_to_a_worker(network: Workload, edge: hardware.Accelerator) -> None:
    before = edge.evaluate(network).energy_pj.total
    assert pickle.loads(pickle.dumps(edge)).evaluate(network).energy_pj.total == before


def test_reference_multiplier_carries_units_sources_and_node() -> None:
    numbers = hardware.reference_multiplier()
    assert {name: estimate.unit for name, estimate in numbers.items()} == {
        "energy_pj": "pJ",
        "area_um2": "um2",
        "delay_ns": "ns",
        "leakage_nw": "nW",
    }
    assert numbers["energy_pj"].value == 0.91199
    assert numbers["energy_pj"].spread == (0.2, 0.91199)
    assert numbers["leakage_nw"].value == pytest.approx(5754)
    assert all(estimate.node == "45 nm" and estimate.verified for estimate in numbers.values())
