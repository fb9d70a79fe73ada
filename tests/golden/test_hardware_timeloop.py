"""Access counts against Timeloop's reference outputs (MIT, timeloop-accelergy-exercises 2d55108), given the mapping beside them.

The mapping of simple_weight_stationary is not the one stored in that repository's current tree; it is the one its counts imply.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from inexact.hardware.nest import Convolution, Counts, Crossing, Kept, Loop, count

PROBLEM = Convolution(stride=(2, 2))


def loops(text: str) -> list[Loop]:
    """ "1: P8 Q2 | 0: P14 *Q14": level and loops, outermost first; starred ones are spatial."""
    found = []
    for part in text.split("|"):
        level, _, names = part.partition(":")
        for name in names.split():
            bare = name.lstrip("*")
            found.append(Loop(bare[0], int(bare[1:]), int(level), spatial=name != bare))
    return found


DESIGNS = {
    "eyeriss_like": (
        "1: P8 Q2 M4 | 0: P14 Q4 *Q14 *C3 *S3 | -1: R3 M8",
        Kept(inputs=(0, 1, 2), weights=(0, 2), outputs=(0, 1, 2)),
        {"ifmap_spad": 0, "weights_spad": 0, "psum_spad": 0, "shared_glb": 1, "DRAM": 2},
    ),
    "simba_like": (
        "4: Q28 | 3: P4 *C3 *M4 | 2: Q4 *M4 | 1: R3 P4 S3 | 0: M2 P7",
        Kept(inputs=(3, 4, 5), weights=(0, 2, 5), outputs=(1, 4, 5)),
        {"PEWeightRegs": 0, "PEAccuBuffer": 1, "PEWeightBuffer": 2, "PEInputBuffer": 3, "GlobalBuffer": 4, "DRAM": 5},
    ),
    "simple_output_stationary": (
        "3: P2 Q8 M2 | 2: Q14 R3 *M16 | 1: C3 P4 S3 | 0: P14",
        Kept(inputs=(0, 3, 4), weights=(1, 3, 4), outputs=(0, 2, 4)),
        {"output_activation_reg": 0, "input_activation_reg": 0, "weight_reg": 1, "pe_spad": 2, "shared_glb": 3, "DRAM": 4},
    ),
    "simple_weight_stationary": (
        "3: Q28 | 2: R3 *M4 *C3 | 1: M8 S3 | 0: P112 Q4",
        Kept(inputs=(0, 3, 4), weights=(1, 2, 3, 4), outputs=(0, 3, 4)),
        {"output_activation_reg": 0, "input_activation_reg": 0, "weight_reg": 1, "pe_spad": 2, "shared_glb": 3, "DRAM": 4},
    ),
}


def rows_of(path: Path, design: str) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as handle:
        rows = csv.DictReader(line for line in handle if not line.startswith("#"))
        return [row for row in rows if row["design"] == design]


def crossing(found: Counts, tensor: str, level: int, *, below: bool) -> Crossing:
    """Traffic below (to the next inner storage) or above a level; none above the outermost."""
    pairs = found.crossings[tensor]
    wanted = [pair for pair in pairs if pair[1 if below else 0] == level]
    return pairs[wanted[0]] if wanted else Crossing()


@pytest.mark.parametrize("design", DESIGNS)
def test_every_access_count_equals_timeloops(design: str, reference_data: Path) -> None:
    text, kept, levels = DESIGNS[design]
    found = count(PROBLEM, loops(text), kept)
    rows = rows_of(reference_data / "accel" / "timeloop_reference.csv", design)
    compared = 0
    for row in rows:
        if row["level"] == "SUMMARY":
            continue
        tensor, level = row["dataspace"].lower(), levels[row["level"]]
        below, above = crossing(found, tensor, level, below=True), crossing(found, tensor, level, below=False)
        instances = int(row["instances_used"])
        own = {"reads": below.parent_reads, "fills": above.fills, "updates": below.updates}
        for kind, value in own.items():
            assert value == instances * int(row[f"{kind}_per_inst"]), (row, kind)
            compared += 1
    assert compared == 3 * len([row for row in rows if row["level"] != "SUMMARY"]) >= 24


@pytest.mark.parametrize("design", DESIGNS)
def test_cycles_equal_timeloops(design: str, reference_data: Path) -> None:
    text, kept, _ = DESIGNS[design]
    rows = rows_of(reference_data / "accel" / "timeloop_reference.csv", design)
    cycles = next(float(row["energy_total_pJ"]) for row in rows if row["dataspace"] == "cycles")
    assert count(PROBLEM, loops(text), kept).steps == cycles
