"""EvoApproxLib's 8-bit multipliers (Mrazek et al., DATE 2017): identity, published metrics, and our gate-count model beside its power."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inexact import units
from inexact.metrics import Profile, profile
from inexact.units.cost import energy_spread, relative_cost


@pytest.fixture(scope="module")
def rows(reference_data: Path) -> dict[str, dict[str, str]]:
    with (reference_data / "evoapproxlib_master_8x8.csv").open(newline="", encoding="utf-8") as handle:
        return {row["name"]: row for row in csv.DictReader(handle)}


@pytest.fixture(scope="module")
def profiles(reference_data: Path, rows: dict[str, dict[str, str]]) -> dict[str, tuple[units.Multiplier, Profile]]:
    found: dict[str, tuple[units.Multiplier, Profile]] = {}
    with np.load(reference_data / "evoapproxlib_master_8x8.npz") as tables:
        for name, row in rows.items():
            unit = units.from_table(tables[name], signed=row["signedness"] == "signed")
            found[name] = (unit, profile(unit))
    return found


def test_identity(profiles: dict[str, Any], rows: dict[str, dict[str, str]]) -> None:
    assert len(profiles) == 49
    assert {name: unit.sha256 for name, (unit, _) in profiles.items()} == {
        name: row["sha256_int32_le_as_stored"] for name, row in rows.items()
    }


def test_published_metrics(profiles: dict[str, Any], rows: dict[str, dict[str, str]]) -> None:
    for name, (_, found) in profiles.items():
        row = rows[name]
        assert found.mae == pytest.approx(float(row["mae"]), rel=1e-12), name
        assert found.wce == float(row["wce"]), name
        assert found.error_probability * 100 == pytest.approx(float(row["ep_pct"]), rel=1e-12), name
        assert found.mred * 100 == pytest.approx(float(row["mre_pct"]), rel=1e-9), name
        assert found.mse == pytest.approx(float(row["mse"]), rel=1e-12), name


def test_published_digits_of_the_library(profiles: dict[str, Any], reference_data: Path) -> None:
    """Figures printed in the library's own headers: two significant digits, some cut instead of rounded."""
    with (reference_data / "evoapproxlib_master_published.csv").open(newline="", encoding="utf-8") as handle:
        printed = [row for row in csv.DictReader(handle) if row["branch"] == "master" and row["name"] in profiles]
    assert len(printed) == 49
    for row in printed:
        found = profiles[row["name"]][1]
        for value, text in (
            (found.mae, row["pub_mae"]),
            (found.mae_range * 100, row["pub_mae_pct"]),
            (found.mred * 100, row["pub_mre_pct"]),
        ):
            assert value == pytest.approx(float(text), rel=0.06, abs=1e-9), row["name"]
        assert found.wce == pytest.approx(float(row["pub_wce"]), rel=1e-6), row["name"]


@pytest.mark.parametrize(
    ("name", "bias", "std", "rank"),
    [
        ("mul8u_Y48", -0.125, 0.48, 1),
        ("mul8u_KEM", -0.352, 4.07, 15),
        ("mul8u_QJD", -6.375, 14.15, 11),
        ("mul8u_NGR", -5.457, 52.29, 52),
        ("mul8u_2HH", 7.281, 44.21, 49),
        ("mul8u_12N4", -120.191, 354.07, 228),
        ("mul8u_RCG", -284.312, 552.72, 25),
        ("mul8u_17KS", -172.25, 424.33, 19),
        ("mul8u_JQQ", -249.0, 2348.35, 3),
        ("mul8u_18DU", -932.25, 1589.60, 6),
        ("mul8u_YX7", -3169.338, 4853.66, 127),
        ("mul8s_1KVA", -1.25, 1.48, 2),
        ("mul8s_1KX2", -12.25, 9.91, 4),
        ("mul8s_1KR8", 0.25, 52.26, 1),
        ("mul8s_1L2H", 0.75, 73.90, 2),
        ("mul8s_1L2D", 3.75, 195.50, 2),
        ("mul8s_1L1G", 15.75, 437.02, 2),
        ("mul8s_1KR3", 15.75, 2698.64, 1),
    ],
)
def test_bias_and_exact_error_rank(profiles: dict[str, Any], name: str, bias: float, std: float, rank: int) -> None:
    found = profiles[name][1]
    assert found.mean_error == pytest.approx(bias, abs=1e-3)
    assert found.error_variance**0.5 == pytest.approx(std, abs=6e-3)
    assert found.error_rank == rank


def test_three_circuits_are_wrong_on_zero(profiles: dict[str, Any]) -> None:
    assert {name for name, (_, found) in profiles.items() if not found.zero_exact} == {"mul8u_2P7", "mul8u_2AC", "mul8u_2HH"}


def test_most_unsigned_tables_are_asymmetric(profiles: dict[str, Any]) -> None:
    symmetric = {name for name, (_, found) in profiles.items() if name.startswith("mul8u") and found.commutative}
    assert len(symmetric) == 36 - 32


@pytest.mark.parametrize(("name", "cut"), [("mul8s_1KV8", 0), ("mul8s_1KVA", 2), ("mul8s_1KVB", 3), ("mul8s_1KX2", 4)])
def test_signed_truncation_is_bit_for_bit_the_library_circuit(profiles: dict[str, Any], name: str, cut: int) -> None:
    assert units.get(f"trunc(cut={cut},signed=true)").sha256 == profiles[name][0].sha256


def test_published_power_lies_within_the_energy_spread_of_its_area(rows: dict[str, dict[str, str]]) -> None:
    exact = {"unsigned": rows["mul8u_1JFF"], "signed": rows["mul8s_1KV8"]}
    checked = 0
    for row in rows.values():
        area, power = (float(row[key]) / float(exact[row["signedness"]][key]) for key in ("pdk45_area_um2", "pdk45_power_mw"))
        if area > 0.05:
            low, high = energy_spread((area, area))
            assert low <= power <= high, row["name"]
            checked += 1
    assert checked == 46


@pytest.mark.parametrize(("name", "cut"), [("mul8s_1KVA", 2), ("mul8s_1KVB", 3), ("mul8s_1KX2", 4)])
def test_gate_count_model_beside_published_silicon(rows: dict[str, dict[str, str]], name: str, cut: int) -> None:
    """No glitches, no sizing: area within 0.06, energy within 0.10 of the published 45 nm ratios, which lie inside the stated spread."""
    cost = relative_cost(units.get(f"trunc(cut={cut},signed=true)"))
    area, power = (float(rows[name][key]) / float(rows["mul8s_1KV8"][key]) for key in ("pdk45_area_um2", "pdk45_power_mw"))
    assert cost.area.value == pytest.approx(area, abs=0.06)
    assert cost.energy.value == pytest.approx(power, abs=0.10)
    assert cost.energy.spread is not None
    assert cost.energy.spread[0] <= power <= cost.energy.spread[1]


def test_cell_areas_are_those_of_the_cited_library(reference_data: Path) -> None:
    import re

    from inexact.units._gates import gate_costs

    text = (reference_data / "gscl45nm.lib").read_text(encoding="utf-8")
    cells = {
        "and2": "AND2X1",
        "nand2": "NAND2X1",
        "or2": "OR2X1",
        "xor2": "XOR2X1",
        "xnor2": "XNOR2X1",
        "inv": "INVX1",
        "mux2": "MUX2X1",
        "half_adder": "HAX1",
        "full_adder": "FAX1",
    }
    for gate, cell in cells.items():
        match = re.search(rf"cell \({cell}\) \{{.*?area : ([\d.]+)", text, re.DOTALL)
        assert match is not None
        assert gate_costs()["cell_area"][gate] == float(match.group(1)), gate
