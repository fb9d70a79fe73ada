"""`unit show` beyond uniform tables: operands of a layer or a file, claims, pictures, wide units; `unit list --where --sort`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inexact import units
from inexact.cli import run
from inexact.metrics import profile


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(["unit", *arguments, "--json"]) == 0
    printed = capsys.readouterr()
    return json.loads(printed.out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["unit", *arguments]) != 0
    printed = capsys.readouterr()
    assert printed.out == ""
    return " ".join(printed.err.split())


def test_what_a_correction_removes_and_each_weight(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "show", "trunc(cut=8)")
    assert found["correction"]["mean"] == found["metrics"]["mean_error"]
    assert found["correction"]["rms_raw"] == pytest.approx(found["metrics"]["rmse"])
    assert len(found["per_weight"]["mean"]) == len(found["per_weight"]["variance"]) == 256
    assert found["per_weight"]["mean"][0] == 0
    assert found["known_as"] is None
    assert answer(capsys, "show", "exact")["known_as"] == "this is EvoApproxLib master mul8u_1JFF, v2022 mul8u_1JJQ"


def test_operands_of_a_layer_change_the_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    uniform, layer = (answer(capsys, "show", "drum(k=4)", *more) for more in ((), ("--layer", "lenet5:conv2")))
    assert layer["operands"] == "operands of lenet5:conv2 on 512 validation inputs of fashion-mnist, unsigned coding, w8a8"
    assert layer["metrics"]["mae"] < uniform["metrics"]["mae"]
    assert layer["metrics"]["error_rank"] == uniform["metrics"]["error_rank"]
    assert layer["correction"]["rms_raw"] == pytest.approx(layer["metrics"]["rmse"])


def test_operands_of_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(256), rng.random(256)
    np.savez(tmp_path / "h.npz", a=a, b=b)
    found = answer(capsys, "show", "mitchell", "--histograms", str(tmp_path / "h.npz"))
    assert found["metrics"]["mae"] == pytest.approx(profile(units.multipliers.get("mitchell"), a, b).mae)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--layer", "lenet5"), "--layer must be NETWORK:LAYER, as in lenet5:conv2, not 'lenet5'"),
        (("--layer", "lenet5:conv9"), "lenet5 has no layer 'conv9'; did you mean 'conv2'"),
        (("--histograms", "none.npz"), "none.npz must be an .npz with arrays a and b"),
        (("--layer", "lenet5:conv2", "--histograms", "x.npz"), "both say what the operands are"),
        (("--claim", "mead=3"), "a claim must be METRIC=VALUE, as in mae=53, not 'mead=3'; did you mean 'nmed' or 'mred'"),
        (("--claim", "mae=much"), "a claim's value must be a number, not 'much'"),
        (("--sampled",), "mitchell is narrow enough for all its pairs"),
    ],
)
def test_bad_requests(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    assert message in refusal(capsys, "show", "mitchell", *arguments)


def test_a_claim_that_the_table_contradicts(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "show", "trunc(cut=4)", "--claim", "mae=12.25", "--claim", "wce=60")
    assert found["contradictions"] == ["claimed wce = 60, but the table's is 49"]
    assert run(["unit", "show", "trunc(cut=4)", "--claim", "wce=60"]) == 0
    assert "contradiction: claimed wce = 60" in capsys.readouterr().out


def test_a_file_that_is_not_what_it_is_called(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lut = units.multipliers.get("trunc(cut=3)").table()
    np.save(tmp_path / "mul8u_1JFF.npy", lut)
    found = answer(capsys, "import", str(tmp_path / "mul8u_1JFF.npy"), "--unsigned", "--out", str(tmp_path / "x.npy"))
    assert len(found["unit"]["contradictions"]) == 1
    assert found["unit"]["contradictions"][0].startswith("it is called mul8u_1JFF, but its table is not that of EvoApproxLib's")


def test_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    answer(capsys, "show", "drum(k=4)", "--picture", str(tmp_path / "p.svg"))
    assert (tmp_path / "p.svg").read_text(encoding="utf-8").startswith("<svg")


def test_wide_units_have_a_passport(capsys: pytest.CaptureFixture[str]) -> None:
    exact = answer(capsys, "show", "trunc(cut=6,width=12)")
    assert (exact["exhaustive"], exact["pairs"], exact["metrics"]["wce"]) == (True, 1 << 24, 5 * 64 + 1)
    assert exact["sha256"] is None
    sampled = answer(capsys, "show", "drum(k=6,width=16)")
    low, high = sampled["intervals"]["mred"]
    assert not sampled["exhaustive"]
    assert low < sampled["metrics"]["mred"] < high
    assert sampled["metrics"]["mred"] == pytest.approx(0.0147, abs=2e-4)  # published for k=6 at 16 bits
    assert run(["unit", "show", "drum(k=6,width=16)"]) == 0
    assert "95 % interval" in capsys.readouterr().out
    assert "need a table" in refusal(capsys, "show", "drum(k=6,width=16)", "--layer", "lenet5:conv2")


def test_list_selects_and_sorts(capsys: pytest.CaptureFixture[str]) -> None:
    rows = answer(capsys, "list", "--where", "family == 'drum' or family == 'trunc'", "--sort", "mae")["units"]
    assert {row["spec"].partition("(")[0] for row in rows} == {"drum", "trunc"}
    assert [row["metrics"]["mae"] for row in rows] == sorted(row["metrics"]["mae"] for row in rows)
    assert "no figure of a unit is called 'mead'" in refusal(capsys, "list", "--where", "mead<1")
    assert "leave --functions" in refusal(capsys, "list", "--functions", "--sort", "mae")
