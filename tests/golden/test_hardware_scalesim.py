"""Cycles and array accesses against SCALE-Sim 3.0.0 (MIT, scalesim-project/SCALE-Sim, commit 1d62b68)."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from inexact import hardware

DATAFLOW = {"ws": "weight_stationary", "os": "output_stationary", "is": "input_stationary"}

# rows, columns, dataflow, pixels, window, filters, cycles as SCALE-Sim prints them (one less than the closed form)
EMBEDDED = [
    (32, 32, "ws", 12100, 147, 64, 121939),
    (32, 32, "ws", 2916, 576, 64, 108359),
    (32, 32, "ws", 25, 4608, 512, 274175),
    (32, 32, "os", 256, 256, 128, 10175),
    (12, 14, "os", 64, 64, 128, 5279),
    (12, 14, "ws", 64, 288, 64, 11999),
    (12, 14, "is", 1024, 27, 16, 11543),
    (16, 16, "is", 289, 144, 32, 13337),
    (16, 16, "os", 1024, 27, 16, 3647),
    (16, 16, "os", 1, 256, 10, 285),
    (16, 16, "ws", 256, 25, 8, 603),
    (8, 8, "is", 64, 64, 128, 9599),
]


@pytest.mark.parametrize(("rows", "columns", "dataflow", "pixels", "window", "filters", "cycles"), EMBEDDED)
def test_cycles_equal_scalesim(rows: int, columns: int, dataflow: str, pixels: int, window: int, filters: int, cycles: int) -> None:
    assert hardware.compute_cycles(DATAFLOW[dataflow], rows, columns, pixels, window, filters) - 1 == cycles


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(line for line in handle if not line.startswith("#")))


def shape(row: dict[str, str]) -> tuple[str, int, int, int, int, int]:
    names = ("array_rows", "array_cols", "M_ofmap_px", "K_window", "N_filters")
    rows, columns, pixels, window, filters = (int(row[name]) for name in names)
    return DATAFLOW[row["dataflow"]], rows, columns, pixels, window, filters


def test_all_eighty_layers(reference_data: Path) -> None:
    found = rows_of(reference_data / "accel" / "scalesim_reference.csv")
    assert len(found) == 80
    wrong = [
        row["layer"]
        for row in found
        if hardware.compute_cycles(*shape(row)) - 1 != int(row["total_cycles"]) - int(float(row["stall_cycles"] or 0))
    ]
    assert wrong == []


def test_accesses_at_the_edge_of_the_array(reference_data: Path) -> None:
    compared = 0
    for row in rows_of(reference_data / "accel" / "scalesim_reference.csv"):
        if not row["sram_ifmap_reads"]:
            continue
        edge = hardware.array_accesses(*shape(row))
        assert edge.inputs == int(float(row["sram_ifmap_reads"])), row
        assert edge.weights == int(float(row["sram_filter_reads"])), row
        if row["dataflow"] != "os":
            # Output stationary: SCALE-Sim writes rows + columns outputs too many a fold; the product has pixels x filters.
            assert edge.outputs == int(float(row["sram_ofmap_writes"])), row
        else:
            assert edge.outputs == int(row["M_ofmap_px"]) * int(row["N_filters"])
        compared += 1
    assert compared >= 61
