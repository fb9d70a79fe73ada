"""Silicon figures against those printed for circuits with the same truth table (EvoApproxLib, 45 nm, gscl45nm)."""

from __future__ import annotations

import csv
import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from inexact import units
from inexact.circuits.cells import library
from inexact.circuits.synthesis import Setup, ratios, synthesise

FOLDER = os.environ.get("INEXACT_REFERENCE_DATA")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FOLDER is None, reason="needs INEXACT_REFERENCE_DATA"),
    pytest.mark.skipif(importlib.util.find_spec("pyosys") is None and shutil.which("yosys") is None, reason="needs Yosys (extra synth)"),
]

SAME = {
    "trunc(cut=2,signed=true)": "mul8s_1KVA",
    "trunc(cut=3,signed=true)": "mul8s_1KVB",
    "trunc(cut=4,signed=true)": "mul8s_1KX2",
    "exact": "mul8u_1JFF",
    "exact(signed=true)": "mul8s_1KV8",
}
"""Units whose table is that of a published circuit."""

EXACT = {"signed": "mul8s_1KV8", "unsigned": "mul8u_1JFF"}


def test_area_and_power_ratios_to_exact_are_within_ten_percent() -> None:
    folder = Path(str(FOLDER))
    with (folder / "evoapproxlib_master_8x8.csv").open() as lines:
        published = {row["name"]: row for row in csv.DictReader(lines)}
    setup = Setup(cells=library(str(folder / "gscl45nm.lib")), recipe="fa")
    chosen = [units.get(spec) for spec in SAME]
    for unit, name in zip(chosen, SAME.values(), strict=True):
        assert unit.sha256 == published[name]["sha256_int32_le_as_stored"]
    records = dict(zip(SAME, synthesise([unit.circuit() for unit in chosen], setup), strict=True))  # type: ignore[misc]
    for spec, name in SAME.items():
        row = published[name]
        reference = published[EXACT[row["signedness"]]]
        found = ratios(records[spec], records["exact(signed=true)" if row["signedness"] == "signed" else "exact"])
        for figure, printed in (("area_um2", "pdk45_area_um2"), ("settled_energy_pj", "pdk45_power_mw")):
            expected = float(row[printed]) / float(reference[printed])
            assert found[figure] == pytest.approx(expected, rel=0.10), (spec, figure, found[figure], expected)
