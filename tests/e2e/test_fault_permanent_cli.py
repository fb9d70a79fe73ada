"""`inexact fault compare|map|protect`: on a trained network, and what bad input gets."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from inexact.cli._fault_compare import compare
from inexact.cli._fault_map import map_faults
from inexact.cli._fault_protect import protect
from inexact.core.errors import FaultError, FormatError


def run(command: click.Command, *arguments: str) -> str:
    return CliRunner().invoke(command, [*arguments, "--threads", "1"], catch_exceptions=False).stdout


@pytest.mark.slow
def test_map_by_nets(tmp_path: Path) -> None:
    picture = tmp_path / "map.svg"
    base = ("--network", "lenet5", "--data", "mnist", "--by", "net", "--nets", "8", "--images", "20", "--picture", str(picture))
    found = json.loads(run(map_faults, *base, "--json"))
    assert len(found["rows"]) == 8
    assert found["columns"] == ["0", "1"]
    assert [len(one["nets"]) for one in found["tripled"]] == [sum(name.startswith("n") for name in found["rows"])]  # inputs have no gate
    assert found["tripled"][0]["expected"][0] <= found["expected"][0]
    assert picture.read_text().startswith("<svg")


@pytest.mark.slow
def test_map_in_words() -> None:
    text = run(map_faults, "--network", "lenet5", "--data", "mnist", "--by", "element", "--step", "16", "--images", "20", "--bit", "14")
    assert "product bit 14 of one element stuck at 1" in text
    assert "mean loss over 1 fault: " in text


@pytest.mark.slow
def test_protect() -> None:
    base = ("--network", "lenet5", "--data", "mnist", "--images", "20", "--nets", "2", "--dataflow", "weight_stationary")
    found = json.loads(run(protect, *base, "--json"))
    assert [one["measure"] for one in found["measures"]] == ["none", "bypass", "mapping", "bypass+mapping", "triple elements"]
    assert next(one["area_percent"] for one in found["voted"]) == 100
    assert "a multiplexer of 48 bits an element" in run(protect, *base)


@pytest.mark.slow
def test_compare(tmp_path: Path) -> None:
    tables = tmp_path / "tables.npz"
    a = np.arange(256)
    signed = np.where(a > 127, a - 256, a)
    np.savez(tables, mine=(np.multiply.outer(signed, signed) & ~15).astype(np.int32))
    base = ("--case", "lenet5:mnist", "--unit", "trunc(cut=6,signed=true)", "--table", f"{tables}:mine", "--images", "10", "--layered", "1")
    summary = tmp_path / "summary.json"
    arguments = (*base, "--nets", "2", "--elements", "0", "--out", str(tmp_path / "rows.jsonl"), "--summary", str(summary))
    text = run(compare, *arguments)
    assert "With the same product bit stuck in every multiplier of the network (64 pairs" in text
    content = json.loads(summary.read_text())
    assert content["measured"]["units"] == ["exact(signed=true)", "trunc(cut=6,signed=true)", "mine"]
    assert run(compare, *arguments) == text


def test_bad_input(tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "rows.jsonl"), "--case", "lenet5:mnist")
    np.savez(tmp_path / "tables.npz", mine=np.zeros((256, 256), np.int32))
    for arguments, error, message in (
        (("--table", "nothing.npz:mine"), FormatError, "--table must name a table of an .npz file"),
        (("--table", f"{tmp_path / 'tables.npz'}:other"), FormatError, "holds no table 'other'; it holds mine"),
        (("--unit", "exact"), FaultError, "must be signed 8x8 multipliers, which exact is not"),
    ):
        with pytest.raises(error, match=message):
            run(compare, *out, *arguments)
    lenet = ("--network", "lenet5", "--data", "mnist", "--images", "10")
    with pytest.raises(FaultError, match=r"register must be one of product, sum, activation, weight, not 'carry'"):
        run(map_faults, *lenet, "--by", "element", "--register", "carry")
    with pytest.raises(FaultError, match=r"rows 0\.\.15 and columns 0\.\.15 of the array, not at \(0, 16\)"):
        run(protect, *lenet, "--element", "0", "16")
    with pytest.raises(FaultError, match=r"bit of the product register of layer conv1 must be 0\.\.15, not 16"):
        run(protect, *lenet, "--bit", "16")
