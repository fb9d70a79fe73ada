"""`unit synth` and `unit evolve`: what they print and write, and what bad input gets."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from inexact import units
from inexact.circuits import read_verilog, table
from inexact.cli import run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INEXACT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "140")


def test_synth(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    netlist = tmp_path / "mapped.v"
    arguments = ["unit", "synth", "trunc(cut=4)", "--recipe", "unoptimised", "--pairs", "256"]
    assert run([*arguments, "--json", "--netlist", str(netlist)]) == 0
    (found,) = json.loads(capsys.readouterr().out)["units"]
    assert found["spec"] == "trunc(cut=4)"
    assert found["silicon"]["conditions"]["recipe"] == "unoptimised"
    assert 0.5 < found["relative"]["area_um2"] < 1
    assert found["silicon"]["energy_pj"]["unit"] == "pJ"
    assert (table(read_verilog(netlist)) == units.get("trunc(cut=4)").table()).all()
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert "one-to-one mapper" in shown
    assert "with glitches" in shown
    assert run([*arguments, "--json", "--seed", "3"]) == 0
    (other,) = json.loads(capsys.readouterr().out)["units"]
    assert other["silicon"]["conditions"]["operands"] == "uniform, seed 3"
    assert other["silicon"]["energy_pj"]["value"] != found["silicon"]["energy_pj"]["value"]


def test_synth_of_a_mac(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "unit",
        "synth",
        "exact(width=4)",
        "--recipe",
        "unoptimised",
        "--pairs",
        "256",
        "--level",
        "pe",
        "--accumulator-bits",
        "12",
    ]
    assert run([*arguments, "--adder", "loa(low=4,width=12)", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["units"]
    assert found["silicon"]["level"] == "pe"
    assert found["silicon"]["cells"]["DFF_X1"] == 20


def test_synth_of_a_clocked_unit_counts_all_its_cycles(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["unit", "synth", "stochastic(length=3,width=3)", "--recipe", "unoptimised", "--pairs", "256", "--json"]
    found = {}
    for level in ("unit", "serial"):
        assert run([*arguments, "--level", level]) == 0
        (found[level],) = json.loads(capsys.readouterr().out)["units"]
    serial = found["serial"]
    assert (found["unit"]["netlist"], serial["netlist"]) == (None, "8 cycles a product")
    assert serial["silicon"]["cells"]["DFF_X1"] == 3 + 4  # the count of cycles and that of ones
    assert serial["silicon"]["register_energy_pj"]["value"] < serial["silicon"]["energy_pj"]["value"]
    assert serial["relative"]["delay_ns"] > 8 > found["unit"]["relative"]["delay_ns"]
    assert run(["unit", "synth", "drum", "--level", "serial"]) == 1
    assert "drum(k=4) gives a result a cycle; leave it away" in capsys.readouterr().err


def test_synth_of_functions_and_floats(capsys: pytest.CaptureFixture[str]) -> None:
    small = "lookup(function=tanh,entries=4,width=4,fraction=2,out_width=4,out_fraction=3)"
    specs = [
        small,
        "lmul(format=e5m2)",
        "softmax(exponential=lookup(function=exp,entries=4,width=4,fraction=2),out_width=32,out_fraction=2)",
    ]
    assert run(["unit", "synth", *specs, "--recipe", "unoptimised", "--pairs", "64", "--json"]) == 0
    table, parts, row = json.loads(capsys.readouterr().out)["units"]
    assert (table["netlist"], table["relative"], table["relative_to"]) == (None, None, None)
    assert parts["netlist"] == "the product as significand, exponent and sign"
    assert parts["relative"]["area_um2"] > 0
    assert row["netlist"] == "a row of 2 arguments side by side"
    assert run(["unit", "synth", small, "--recipe", "unoptimised", "--pairs", "64"]) == 0
    assert "uniform" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synth", "lookup(function=gelu)", "--level", "mac"], "error: a MAC is made around a multiplier"),
        (["synth", "lookup(function=gelu)", "--layer", "lenet5:conv2"], "error: operand histograms belong to a multiplier of integers"),
        (["synth", "trun(cut=4)"], "error: no multiplier is called 'trun'"),
        (["synth", "voted"], "error: voted(first=exact,second=exact,third=exact) has no netlist: only circuits can be synthesised"),
        (["synth", "exact", "--liberty", "no.lib"], "error: a liberty file must be readable, but no.lib is not"),
        (["synth", "exact", "--recipe", "fast"], "error: no recipe is called 'fast'"),
        (["synth", "loa(low=4)", "--level", "mac"], "error: a MAC is made around a multiplier"),
        (["synth", "exact", "--level", "mac", "--accumulator-bits", "8"], "error: accumulator_bits must be 16..64"),
        (["synth", "exact", "exact(signed=true)", "--layer", "lenet5:conv2"], "error: operand histograms hold for one width and sign"),
        (["evolve", "--metric", "maee"], "error: no metric to evolve towards is called 'maee'; did you mean 'mae'"),
        (["evolve", "--targets", "1,x"], "error: --targets must be numbers such as 1,5,20 or FIRST:LAST:COUNT"),
        (["evolve", "exact(width=9)"], "error: operands must have at most 16 bits together to be evolved, not 18"),
        (["evolve", "drum(k=4)", "--targets", "1"], "error: the seed circuit drum_k_4 must meet the smallest target, mae <= 1"),
    ],
)
def test_bad_input_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["unit", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.strip().splitlines()[-1].startswith(message)


def test_evolve_writes_units_that_can_be_used(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "front"
    arguments = ["unit", "evolve", "exact(width=4)", "--targets", "0.5:3:3", "--generations", "3000", "--out", str(out)]
    assert run([*arguments, "--json"]) == 0
    front = json.loads(capsys.readouterr().out)["front"]
    assert [row["target"] for row in front] == [0.5, 1.225, 3.0]
    assert [row["cells_um2"] for row in front] == sorted((row["cells_um2"] for row in front), reverse=True)
    for row in front:
        unit = units.get(row["spec"])
        assert unit.sha256 == row["sha256"]
        assert row["mae"] <= row["target"]
    with (out / "front.csv").open() as lines:
        assert [row["name"] for row in csv.DictReader(lines)] == [row["name"] for row in front]
    assert run(arguments) == 0  # goes on from the checkpoint: nothing is left to do
    assert "front.csv" in capsys.readouterr().out
    assert run([*arguments[:-1], str(out), "--seed", "1"]) == 1
    assert "is the checkpoint of an evolution with another seed circuit" in capsys.readouterr().err


def test_list_shows_silicon(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unit", "list", "--where", "evolved_or", "--limit", "3"]) == 1
    assert "no figure of a unit is called" in capsys.readouterr().err
    assert run(["unit", "list", "--where", "width_a == 8 and width_b == 8 and mae < 5", "--sort", "energy_pj", "--limit", "3"]) == 0
    shown = capsys.readouterr().out
    assert "inexact45@" in shown
    assert "--limit 0 shows all" in shown
