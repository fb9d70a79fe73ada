"""DRAM energies and cycles of ResNet-18 against ZigZag 3.9.1 (MIT) on its 32x32 weight-stationary machine, and the files for it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from inexact import hardware
from inexact.core.errors import HardwareError
from inexact.core.workload import Arithmetic, LayerWorkload, Workload
from inexact.hardware import zigzag

READ, WRITE, WORD = 700, 750, 64
"""pJ a 64-bit access of that machine's DRAM."""

MEMORY = """[memories.sram]
kib = 2048
banks = 2
width_bits = 2048
ports = 2
holds = ["inputs", "sums", "outputs"]

"""


@pytest.fixture
def machine(tmp_path: Path) -> hardware.Accelerator:
    """32x32 PEs, 2 MiB for activations and sums, weights straight from the DRAM, which activations cross between layers."""
    text = hardware.presets()["edge-16x16"].read_text()
    text = text.replace("rows = { value = 16", "rows = { value = 32").replace("columns = { value = 16", "columns = { value = 32")
    text = text[: text.index("[memories.activation]")] + MEMORY + text[text.index("[dram]") :]
    text = text.replace('["weight_stationary", "output_stationary"]', '["weight_stationary"]').replace('"keep"', '"dram"')
    path = tmp_path / "machine.toml"
    path.write_text(text)
    return hardware.load(path)


def layer_of(row: dict[str, str]) -> LayerWorkload:
    name, pixels, kernel = row["layer"], int(row["OX"] or 1), int(row["FX"] or 1)
    first = name == "/conv1/Conv" or "downsample" in name or (".0/conv1" in name and "layer1" not in name)
    stride = 2 if first else 1
    return LayerWorkload.square(
        name,
        pixels * stride,
        in_channels=int(row["C"]),
        out_channels=int(row["K"]),
        kernel=kernel,
        stride=stride,
        arithmetic=Arithmetic(coding="signed"),
    )


def test_dram_energies_are_zigzags(machine: hardware.Accelerator, reference_data: Path) -> None:
    path = reference_data / "accel" / "zigzag_resnet18_tpu_layers.csv"
    with path.open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(line for line in handle if not line.startswith("#")))
    assert len(rows) == 21
    own_total = other_total = 0.0
    for row in rows:
        layer = layer_of(row)
        mapping = machine.map(layer)
        other = sum(json.loads(row[f"mem_{tensor}_by_level"])[-1] for tensor in "IWO")
        own = mapping.dram_reads / WORD * READ + mapping.dram_writes / WORD * WRITE
        assert own == pytest.approx(other, rel=0.01), layer.name
        own_total, other_total = own_total + own, other_total + other
        # Cycles: ours hold the fill and drain of every fold; its conv1 and fc are of another mapping.
        ratio = mapping.cycles / float(row["cycles_compute"])
        if "downsample" not in layer.name and layer.name not in {"/conv1/Conv", "/fc/Gemm"}:
            assert 1 <= ratio < 1.5, layer.name
    assert own_total == pytest.approx(other_total, rel=0.001)


def test_files_for_zigzag_describe_the_machine_and_its_layers(machine: hardware.Accelerator, tmp_path: Path) -> None:
    conv = LayerWorkload(name="conv", kind="conv", in_channels=8, out_channels=16, in_h=9, in_w=9, out_h=9, out_w=9, kernel_h=3, kernel_w=3)
    add = LayerWorkload(name="add", kind="add", operands=2, in_channels=16, out_channels=16, in_h=9, in_w=9, out_h=9, out_w=9)
    network = Workload(network="two", layers=(conv, add))
    files = zigzag.export(machine, network, tmp_path / "zigzag")
    described, layers, mapping = (json.loads(file.read_text()) for file in files)
    assert described["operational_array"]["sizes"] == [32, 32]
    cost = machine.evaluate(network)
    spent = sum(cost.energy_pj.by_component[name].value for name in ("multipliers", "adders"))
    assert described["operational_array"]["unit_energy"] == pytest.approx(spent / conv.macs)
    assert described["memories"]["sram"]["size"] == 2048 * 8192
    assert [layer["name"] for layer in layers] == ["conv"]
    assert dict(zip(layers[0]["loop_dims"], layers[0]["loop_sizes"], strict=True)) == {
        "B": 1,
        "K": 16,
        "C": 8,
        "OY": 9,
        "OX": 9,
        "FY": 3,
        "FX": 3,
    }
    assert layers[0]["operand_precision"] == {"W": 8, "I": 8, "O": 32, "O_final": 8}
    assert mapping[0]["spatial_mapping"] == {"D1": ["C, 32"], "D2": ["K, 32"]}


def test_machines_without_a_counterpart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="eyeriss-like has no counterpart in ZigZag: it needs parallel elements"):
        zigzag.export(hardware.load("eyeriss-like"), Workload(network="none", layers=()), tmp_path)


def test_zigzags_reports_are_read(tmp_path: Path) -> None:
    report = {"outputs": {"energy": {"energy_total": 12.5}, "latency": {"computation": 40}}}
    (tmp_path / "conv_complete.json").write_text(json.dumps(report))
    assert zigzag.results(tmp_path) == {"conv": {"energy_pj": 12.5, "cycles": 40.0}}
    (tmp_path / "bad_complete.json").write_text("{}")
    with pytest.raises(HardwareError, match=r"bad_complete\.json must be a report of ZigZag with outputs\.energy\.energy_total"):
        zigzag.results(tmp_path)


TPU_LIKE = """
name: tpu_like
memories:
  rf_128B: {size: 1024, r_bw: 8, w_bw: 8, r_cost: 0.095, w_cost: 0.095, operands: [I2], served_dimensions: []}
  sram_2MB: {size: 16777216, r_bw: 2048, w_bw: 2048, r_cost: 416.16, w_cost: 378.4, operands: [I1, O], served_dimensions: [D1, D2]}
  dram: {size: 10000000000, r_bw: 64, w_bw: 64, r_cost: 700, w_cost: 750, operands: [I1, I2, O], served_dimensions: [D1, D2]}
operational_array: {unit_energy: 0.04, unit_area: 1, dimensions: [D1, D2], sizes: [32, 32]}
"""


def test_a_machine_of_zigzags_is_loaded(tmp_path: Path) -> None:
    """Sizes and energies as in its tpu_like.yaml."""
    (tmp_path / "tpu.yaml").write_text(TPU_LIKE)
    (tmp_path / "tpu.toml").write_text(zigzag.description(tmp_path / "tpu.yaml"))
    machine = hardware.load(tmp_path / "tpu.toml")
    assert (machine.rows, machine.columns) == (32, 32)
    (memory,) = machine.memories.values()
    assert memory.bits == 16777216
    assert set(memory.holds) == {"inputs", "sums", "outputs"}
    assert memory.bank.read[0] * 2048 == pytest.approx(416.16, rel=1e-4)
    assert machine.home("weights") is None
    assert machine.rates.dram_bit[0] * 64 == pytest.approx(750, rel=1e-4)
    (tmp_path / "other.yaml").write_text("name: none")
    with pytest.raises(HardwareError, match=r"other\.yaml must be a hardware description of ZigZag"):
        zigzag.description(tmp_path / "other.yaml")
