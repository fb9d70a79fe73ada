"""Shipped curves, constants and laws of voltage and age against the published tables they cite."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest

from inexact.hardware import slowdown, technology
from inexact.reliability import LongTerm, bit_error_rate
from inexact.reliability._sram import MU, SIGMA, measured


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(line for line in handle if not line.startswith("#")))


def test_the_curve_of_memories_is_the_published_one(reference_data: Path) -> None:
    rows = [row for row in rows_of(reference_data / "accel" / "sram_ber_voltage.csv") if row["technology"] == "14 nm FinFET"]
    published = [(float(row["v_over_vmin"]), float(row["ber"]), float(row["energy_per_access_norm"])) for row in rows]
    assert [(point.voltage, point.rate, point.energy) for point in measured()] == published
    yaml = pytest.importorskip("yaml")
    fit = yaml.safe_load((reference_data / "accel" / "delay_ageing_models.yaml").read_text())["sram_ber_probit"]["fit"]
    assert (fit["mu"], fit["sigma"]) == (MU, SIGMA)
    assert all(0.83 < bit_error_rate(voltage) / rate < 1.28 for voltage, rate, _ in published if rate)


@pytest.mark.parametrize(("threshold", "exponent"), [(0.25, 1.2), (0.3, 1.3), (0.35, 1.5)])
def test_delay_follows_the_tabulated_alpha_power_law(reference_data: Path, threshold: float, exponent: float) -> None:
    node = technology("45nm")
    wanted = {"nominal_voltage": 0.9, "threshold_voltage": threshold, "delay_exponent": exponent}
    constants = dict(node.constants) | {name: dataclasses.replace(node[name], value=value) for name, value in wanted.items()}
    own = dataclasses.replace(node, constants=constants)
    rows = rows_of(reference_data / "accel" / "delay_vs_vdd.csv")
    found = [slowdown(own, float(row["vdd_V"])) for row in rows]
    assert found == pytest.approx([float(row[f"delay_Vth{threshold}_a{exponent}"]) for row in rows], abs=6e-5)
    energies = [float(row["energy_norm"]) for row in rows]
    assert [(float(row["vdd_V"]) / 0.9) ** 2 for row in rows] == pytest.approx(energies, abs=6e-5)


def test_the_long_term_model_gives_the_published_check_values(reference_data: Path) -> None:
    yaml = pytest.importorskip("yaml")
    model = yaml.safe_load((reference_data / "accel" / "delay_ageing_models.yaml").read_text())["nbti_long_term"]
    for name, values in model["check_values_mV"].items():
        supply, threshold, oxide = (float(part.lstrip("Vdthox")) for part in name.split("_"))
        found = LongTerm(supply=supply, threshold=threshold, oxide=oxide)
        for age, millivolts in values.items():
            assert 1000 * found.drift(float(age.rstrip("y"))) == pytest.approx(millivolts, abs=0.006)
