"""`inexact unit`: what each command prints, and what bad input gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inexact import kernels, units
from inexact.cli import run
from inexact.cli._unit_text import markdown
from inexact.hardware import reference_multiplier
from inexact.units.cost import relative_cost

METRICS = {
    "error_probability",
    "mae",
    "mse",
    "rmse",
    "wce",
    "mred",
    "mred_all",
    "wcre",
    "nmed",
    "mae_range",
    "mean_error",
    "error_variance",
}


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """The one JSON object a command prints."""
    assert run(["unit", *arguments, "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return json.loads(printed.out)


def test_show_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "show", "trunc(cut=4)")
    assert (found["spec"], found["width"], found["signed"]) == ("trunc(cut=4)", [8, 8], False)
    assert found["sha256"] == units.get("trunc(cut=4)").sha256
    assert set(found["metrics"]) >= METRICS
    assert (found["metrics"]["mae"], found["metrics"]["wce"]) == (12.25, 49)
    assert (found["zero_exact"], found["commutative"], found["error_rank"]) == (True, True, 4)
    if kernels.isa() == "avx512":  # elsewhere the table engine is the faster one
        assert found["engine"] == "split"
        assert found["engine_why"].startswith("5 8-bit matrix products (rank 5) give its sums exactly; its error ")
    assert set(found["cost"]) == {"area_um2", "delay_ns", "energy_pj", "leakage_nw"}
    for estimate in found["cost"].values():
        assert {"value", "unit", "source", "node"} <= set(estimate)
        assert estimate["value"] > 0
        assert estimate["source"].startswith("recipe fa by")
        assert estimate["verified"]
    assert found["silicon_origin"] == "from the catalogue"
    assert found["cost"]["energy_pj"] == found["silicon"]["energy_pj"]
    assert "doi:10.1109/VLSISP.1993.404467" in found["reference"]


def test_the_gate_count_model_is_shown_where_nothing_else_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    exact, voted = (relative_cost(units.get(spec)).energy.value for spec in ("exact", "voted"))
    found = answer(capsys, "show", "voted")
    assert (found["silicon"], found["silicon_origin"]) == (None, None)
    assert found["cost"]["energy_pj"]["value"] == pytest.approx(reference_multiplier()["energy_pj"].value * voted / exact)
    assert "gate-count model" in found["cost"]["energy_pj"]["source"]
    assert not found["cost"]["energy_pj"]["verified"]
    assert run(["unit", "show", "voted"]) == 0
    assert "no silicon figures: cost by the gate-count model, unverified" in " ".join(capsys.readouterr().out.split())


def test_a_unit_outside_the_catalogue_is_synthesised(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyosys")
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path))
    found = answer(capsys, "show", "loa(low=1,width=3)")
    assert (found["silicon_origin"], found["silicon_of"]) == ("synthesised now", "the unit")
    assert found["cost"]["area_um2"]["value"] == found["silicon"]["area_um2"]["value"] > 0
    assert found["relative_cost"] is None


def test_a_table_has_no_invented_cost(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "unit.npy"
    np.save(path, np.arange(65536).reshape(256, 256))
    found = answer(capsys, "show", f"table(path='{path}')")
    assert found["cost"] == dict.fromkeys(("energy_pj", "area_um2", "delay_ns", "leakage_nw"))


def test_show_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unit", "show", "drum(k=4)"]) == 0
    printed = capsys.readouterr().out
    for part in ("drum(k=4)  multiplier, 8x8 unsigned", "mean_error", "119.751", "energy_pj", "doi:10.1109/ICCAD.2015.7372600"):
        assert part in printed


def test_list_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "list")["units"]
    assert all({"spec", "sha256", "metrics", "cost"} <= set(entry) for entry in found)
    specs = [entry["spec"] for entry in found]
    assert len(specs) == len(set(specs))
    assert {"exact", "trunc(cut=4)", "kulkarni", "mitchell", "roba", "loa(low=4)"} <= set(specs)


def test_list_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unit", "list"]) == 0
    assert "from the synthesised netlist" in " ".join(capsys.readouterr().out.split())


def test_compare_orders_by_energy_and_marks_the_front(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "compare", "exact", "drum(k=4)", "trunc(cut=4)", "exact(width=4)")["units"]
    assert [entry["spec"] for entry in found] == ["exact(width=4)", "drum(k=4)", "trunc(cut=4)", "exact"]
    assert [entry["front"] for entry in found] == [True, True, True, True]
    assert run(["unit", "compare", "exact", "drum(k=4)"]) == 0
    assert "drum(k=4) * 0.839" in " ".join(capsys.readouterr().out.split())
    assert run(["unit", "compare", "voted", "drum(k=4)"]) == 0  # one of them has no netlist: both by the model
    printed = " ".join(capsys.readouterr().out.split())
    assert "drum(k=4) * 0.896" in printed
    assert "gate-count model (not silicon)" in printed


def test_wide_units_are_compared_by_samples(capsys: pytest.CaptureFixture[str]) -> None:
    drum, mitchell = answer(capsys, "compare", "mitchell(width=16)", "drum(k=6,width=16)")["units"]
    assert (drum["spec"], mitchell["sha256"]) == ("drum(k=6,width=16)", None)
    assert drum["metrics"]["mred"] == pytest.approx(0.0147, abs=2e-4)  # published
    assert run(["unit", "compare", "drum(k=6,width=16)"]) == 0
    printed = capsys.readouterr().out
    assert "from a million drawn pairs" in " ".join(printed.split())


def test_a_table_of_a_known_unit_is_recognised(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "unit.npy"
    np.save(path, units.get("drum(k=4)").table())
    assert answer(capsys, "show", f"table(path='{path}')")["same_table_as"] == ["drum(k=4)"]
    assert run(["unit", "show", f"table(path='{path}')"]) == 0
    assert "same_table_as: drum(k=4)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "trun(cut=4)"], "error: no multiplier is called 'trun'; did you mean 'trunc'"),
        (["show", "trunc(cut=16)"], "error: cut must be 0..2*width-1 (0..15), not 16"),
        (["show", "trunc(4)"], "error: arguments of trunc must be named, as in 'trunc(cut=…)', not 'trunc(4)'"),
        (["show", "trunc(cut=4"], "error: a spec must look like 'name(key=value, ...)', not 'trunc(cut=4'"),
        (
            ["show", "exact(width=16)", "--claim", "mae=3"],
            "error: --layer, --histograms, --picture and --claim need a table, and exact(width",
        ),
        (["compare", "exact", "table(path='no.npy')"], "error: no.npy must be a readable table file"),
    ],
)
def test_bad_specs_give_one_sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(["unit", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(message)
    assert printed.err.count("\n") == 1


@pytest.mark.slow
def test_the_documented_catalogue_is_current() -> None:
    """Between its markers docs/unit-list.md holds what `inexact unit list --markdown` prints."""
    page = (Path(__file__).parents[3] / "docs" / "unit-list.md").read_text(encoding="utf-8")
    held = page.split("<!-- catalogue: inexact unit list --markdown -->\n")[1].split("\n<!-- end of catalogue -->")[0]
    assert held == markdown(), "replace it by the output of `inexact unit list --markdown`"


def test_adders_are_shown_and_wide_ones_sampled(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "show", "gear(r=2,p=2)")
    assert (found["kind"], found["metrics"]["mae"], found["metrics"]["wce"]) == ("adder", 7.5, 64)
    wide = answer(capsys, "show", "loa(low=8,width=24)")
    low, high = wide["intervals"]["mae"]
    assert (wide["exhaustive"], wide["sha256"]) == (False, None)
    assert low - (high - low) < (3 * 2**7 - 1) / 8 < high + (high - low)  # the closed form, for every width


def test_non_linear_units_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    listed = answer(capsys, "list", "--functions")
    assert set(listed) == {"functions"}
    specs = [entry["spec"] for entry in listed["functions"]]
    assert "base2(function=exp,segments=4)" in specs
    shown = answer(capsys, "show", "base2(function=exp,segments=4)")
    assert shown.items() >= listed["functions"][specs.index("base2(function=exp,segments=4)")].items()
    assert shown["silicon"]["area_um2"]["value"] > 0
    assert shown["kind"] == "function"
    assert 0 < shown["metrics"]["max_error"] < 0.004
    floats = answer(capsys, "list", "--floats")["floats"]
    lmul = answer(capsys, "show", "lmul")
    assert lmul.items() >= next(entry for entry in floats if entry["spec"] == "lmul(format=e4m3)").items()
    assert lmul["silicon_of"] == "the whole product as a fixed-point number"
    assert run(["unit", "list", "--floats", "--functions"]) == 2
    assert "give one of them" in capsys.readouterr().err
    for arguments, text in (
        (["list", "--functions", "--markdown"], "| `base2(function=exp,segments=4)` | exp |"),
        (["list", "--functions"], "non-linear units"),
        (["show", "softmax"], "Softermax"),
        (["list", "--floats"], "small-float multipliers"),
        (["list", "--floats", "--markdown"], "| `lmul(format=e4m3)` |"),
        (["show", "lmul"], "Addition is all you need"),
    ):
        assert run(["unit", *arguments]) == 0
        assert text in capsys.readouterr().out
